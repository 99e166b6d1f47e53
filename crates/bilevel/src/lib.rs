#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod forward_difference;
mod implicit;
mod inverse_hessian;
mod learn;
mod problem;
mod vector;
mod weights;

pub use imgkit::ParameterError;

pub use error::Error;
pub use forward_difference::ForwardDifference;
pub use implicit::{Implicit, ImplicitGradient, implicit_gradient};
pub use inverse_hessian::{
    Approximation, ConjugateGradient, DenseSolve, IdentityHessian, InverseHessian, Neumann, Nystrom, Product, Solution,
};
pub use learn::{LearnedWeights, Solve, UpperParams, UpperState, UpperStep, learn_weights};
pub use problem::{Bilevel, Hypergradient, Problem, UpperGradient, UpperGradients, WeightGradient};
pub use weights::{Link, WeightModel};
