//! Measures score maps against masks: AU-PRO, pixel AUROC and AP, and image scores from maps.
//!
//! `cargo run -p adbench --example score_maps`
#![allow(clippy::print_stdout)] // the program prints its result

use adbench::metrics::{PixelPool, Reducer, au_pro, auroc};
use adbench::ndarray::Array2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // twelve images of 64 x 64, every other with a disc; a map that answers to the disc, blurred and with noise
    let mask = |i: usize| {
        Array2::from_shape_fn((64, 64), |(y, x)| {
            i % 2 == 1 && y.abs_diff(20 + i).pow(2) + x.abs_diff(30).pow(2) < (3 + i / 2).pow(2)
        })
    };
    let map = |i: usize| {
        Array2::from_shape_fn((64, 64), |(y, x)| {
            let distance = (y as f32 - 22.0 - i as f32).hypot(x as f32 - 31.0);
            let noise = ((x * 7919 + y * 104_729 + i * 31) % 97) as f32 / 97.0;
            0.4 * noise + if i % 2 == 1 { (-distance / 6.0).exp() } else { 0.0 }
        })
    };
    let masks: Vec<Array2<bool>> = (0..12).map(mask).collect();
    let maps: Vec<Array2<f32>> = (0..12).map(map).collect();

    let (map_views, mask_views): (Vec<_>, Vec<_>) = maps.iter().zip(&masks).map(|(a, b)| (a.view(), b.view())).unzip();
    println!("AU-PRO up to a false-positive rate of 0.3: {:.4}", au_pro(&map_views, &mask_views, 0.3)?);

    // several figures of the same pixels: rank them once
    let mut pool = PixelPool::new();
    for (map, mask) in maps.iter().zip(&masks) {
        pool.push(map.view(), mask.view())?;
    }
    let ranked = pool.rank()?;
    println!("{} regions, {:.2} % of the pixels anomalous", ranked.regions(), 100.0 * ranked.prevalence());
    println!("pixel AUROC {:.4}, AP {:.4}", ranked.auroc(), ranked.average_precision());
    println!("AU-PRO up to 0.05: {:.4}", ranked.au_pro(0.05)?);

    let labels: Vec<bool> = masks.iter().map(|mask| mask.iter().any(|&m| m)).collect();
    for (name, reducer) in [("maximum", Reducer::Max), ("mean of the top 1 %", Reducer::MeanTopFraction(0.01))] {
        let scores = maps.iter().map(|map| reducer.reduce(map.view())).collect::<Result<Vec<f32>, _>>()?;
        println!("image AUROC by the {name}: {:.4}", auroc(&scores, &labels)?);
    }
    Ok(())
}
