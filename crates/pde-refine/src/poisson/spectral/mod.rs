//! Direct solver of the constant-coefficient problem on a rectangle: a sine or cosine transform along the rows, a
//! tridiagonal solve down the columns.

mod columns;
mod direct;
mod rectangle;
mod rows;

pub use direct::Direct;
pub use rectangle::{Rectangle, RectangleScratch, Scalar, Side, Sides};
