//! Implements `Backbone` for features of one's own: mean color and contrast of 8 x 8 px blocks.
#![allow(clippy::print_stdout)] // the program prints its result

use frozen_backbone::{Backbone, Error, Level, Pyramid};
use ndarray::{Array3, ArrayView3, s};

#[derive(Debug)]
struct Blocks {
    levels: [Level; 1],
}

impl Backbone for Blocks {
    fn id(&self) -> &str {
        "blocks-v1"
    }

    fn hash(&self) -> u64 {
        1 // no weights: the number counts versions
    }

    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn min_side(&self) -> usize {
        8
    }

    fn extract(&self, image: ArrayView3<'_, f32>) -> Result<Pyramid, Error> {
        let (h, w, channels) = image.dim();
        if h < 8 || w < 8 {
            return Err(Error::TooSmall { found: (h, w).into(), minimum: 8, backbone: self.id().to_owned() });
        }
        if channels != 3 {
            return Err(Error::Channels { found: channels });
        }
        Ok(vec![Array3::from_shape_fn((6, h.div_ceil(8), w.div_ceil(8)), |(c, y, x)| {
            let block = image.slice(s![8 * y..(8 * y + 8).min(h), 8 * x..(8 * x + 8).min(w), c % 3]);
            if c < 3 { block.mean().unwrap_or(0.0) } else { block.std(0.0) }
        })])
    }
}

fn main() -> Result<(), Error> {
    let net = Blocks { levels: [Level { channels: 6, stride: 8 }] };
    let image = Array3::from_shape_fn((60, 90, 3), |(y, x, c)| ((y + x * c) % 10) as f32 / 10.0);
    println!("{}: {:?}", net.id(), net.extract(image.view())?[0].dim());
    Ok(())
}
