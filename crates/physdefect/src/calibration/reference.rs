//! How often defects that each mechanism draws at its defaults, on plain photos in three materials, have each
//! descriptor. Printed by the test `print_the_tables` below; make them again when a mechanism's defaults change.

use super::identify::{BINS, DESCRIPTORS};
use crate::MechanismKind;

/// Drawn defects of one mechanism.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reference {
    pub(super) mechanism: MechanismKind,
    /// Score that 95 % of them exceed.
    pub(super) threshold: f64,
    /// Share in each bin of each descriptor, one half added to every count.
    pub(super) shares: [[f64; BINS]; DESCRIPTORS],
}

/// Bounds between the bins of each descriptor.
pub(super) const EDGES: [[f64; BINS - 1]; DESCRIPTORS] = [
    [0.082, 0.345, 0.695, 1.145, 1.768],      // elongation
    [0.797, 0.859, 0.899, 0.924, 0.949],      // solidity
    [0.025, 0.064, 0.109, 0.146, 0.221],      // width variation
    [0.02, 0.05, 0.1, 0.2, 0.4],              // waviness
    [-0.9, -0.5, 0.0, 0.5, 0.9],              // darker or brighter
    [0.2, 0.4, 0.6, 0.8, 0.95],               // one-sidedness
    [-2.974, -2.677, -2.403, -1.908, -1.283], // size
    [0.1, 0.25, 0.5, 0.75, 0.9],              // at the outline
    [-0.175, 0.009, 0.284, 0.555, 0.965],     // texture
    [0.329, 0.411, 0.489, 0.59, 0.747],       // softness
];

pub(super) const REFERENCES: [Reference; 6] = [
    Reference {
        mechanism: MechanismKind::FractureLine,
        threshold: -1.474,
        shares: [
            [0.0098, 0.0425, 0.0359, 0.1275, 0.4085, 0.3758],
            [0.5588, 0.3105, 0.0948, 0.0163, 0.0033, 0.0163],
            [0.0359, 0.1078, 0.2255, 0.3170, 0.2255, 0.0882],
            [0.2908, 0.1471, 0.3693, 0.1405, 0.0425, 0.0098],
            [0.9771, 0.0098, 0.0033, 0.0033, 0.0033, 0.0033],
            [0.0033, 0.0033, 0.0033, 0.0033, 0.0163, 0.9706],
            [0.2124, 0.3431, 0.2908, 0.1471, 0.0033, 0.0033],
            [0.7288, 0.0033, 0.0033, 0.0033, 0.0033, 0.2582],
            [0.0752, 0.0359, 0.0948, 0.1993, 0.2582, 0.3366],
            [0.3235, 0.3824, 0.2059, 0.0425, 0.0229, 0.0229],
        ],
    },
    Reference {
        mechanism: MechanismKind::PittingLoss,
        threshold: -1.825,
        shares: [
            [0.3105, 0.3824, 0.1797, 0.0948, 0.0294, 0.0033],
            [0.0556, 0.1144, 0.3366, 0.3497, 0.1078, 0.0359],
            [0.2974, 0.1928, 0.1863, 0.1013, 0.1340, 0.0882],
            [0.4804, 0.0294, 0.0948, 0.1797, 0.1471, 0.0686],
            [0.2516, 0.5850, 0.1536, 0.0033, 0.0033, 0.0033],
            [0.0098, 0.0621, 0.1667, 0.3105, 0.2974, 0.1536],
            [0.4542, 0.2647, 0.1405, 0.1078, 0.0294, 0.0033],
            [0.8072, 0.0163, 0.0490, 0.0621, 0.0098, 0.0556],
            [0.0425, 0.0163, 0.1275, 0.1667, 0.2908, 0.3562],
            [0.3039, 0.1797, 0.1667, 0.1667, 0.1144, 0.0686],
        ],
    },
    Reference {
        mechanism: MechanismKind::PlasticWarpage,
        threshold: -1.587,
        shares: [
            [0.5131, 0.2059, 0.1405, 0.1144, 0.0229, 0.0033],
            [0.0033, 0.0229, 0.0621, 0.1993, 0.3693, 0.3431],
            [0.3301, 0.3366, 0.0948, 0.0556, 0.0621, 0.1209],
            [0.6307, 0.0098, 0.0163, 0.0556, 0.0882, 0.1993],
            [0.0098, 0.0229, 0.5131, 0.4477, 0.0033, 0.0033],
            [0.5719, 0.3758, 0.0359, 0.0033, 0.0033, 0.0098],
            [0.0033, 0.0033, 0.0033, 0.1275, 0.6895, 0.1732],
            [0.9444, 0.0033, 0.0033, 0.0033, 0.0033, 0.0425],
            [0.2582, 0.6765, 0.0556, 0.0033, 0.0033, 0.0033],
            [0.0033, 0.1144, 0.3562, 0.4477, 0.0556, 0.0229],
        ],
    },
    Reference {
        mechanism: MechanismKind::Abrasion,
        threshold: -1.534,
        shares: [
            [0.0098, 0.0033, 0.0098, 0.0752, 0.3105, 0.5915],
            [0.3497, 0.4085, 0.1797, 0.0359, 0.0033, 0.0229],
            [0.0556, 0.1471, 0.2582, 0.2516, 0.2059, 0.0817],
            [0.3824, 0.3431, 0.1993, 0.0621, 0.0098, 0.0033],
            [0.3627, 0.0163, 0.0033, 0.0033, 0.0033, 0.6111],
            [0.0033, 0.0033, 0.0033, 0.0098, 0.0098, 0.9706],
            [0.0163, 0.1667, 0.3627, 0.3824, 0.0686, 0.0033],
            [0.9837, 0.0033, 0.0033, 0.0033, 0.0033, 0.0033],
            [0.0229, 0.0033, 0.1209, 0.2451, 0.3105, 0.2974],
            [0.3693, 0.2908, 0.1993, 0.0229, 0.0425, 0.0752],
        ],
    },
    Reference {
        mechanism: MechanismKind::SurfaceUnevenness,
        threshold: -1.574,
        shares: [
            [0.0163, 0.1601, 0.3105, 0.3693, 0.1275, 0.0163],
            [0.0229, 0.0490, 0.1340, 0.1863, 0.2778, 0.3301],
            [0.0425, 0.1144, 0.1144, 0.1144, 0.1797, 0.4346],
            [0.1601, 0.0098, 0.0098, 0.1405, 0.3170, 0.3627],
            [0.5458, 0.0752, 0.1078, 0.0359, 0.0033, 0.2320],
            [0.0686, 0.0686, 0.0163, 0.0490, 0.0425, 0.7549],
            [0.0033, 0.0033, 0.0033, 0.0163, 0.1667, 0.8072],
            [0.5261, 0.0033, 0.0033, 0.0033, 0.0033, 0.4608],
            [0.3627, 0.1928, 0.3431, 0.0621, 0.0359, 0.0033],
            [0.0033, 0.0033, 0.0163, 0.1078, 0.3105, 0.5588],
        ],
    },
    Reference {
        mechanism: MechanismKind::EdgeLoss,
        threshold: -1.941,
        shares: [
            [0.1471, 0.2059, 0.3170, 0.2190, 0.1078, 0.0033],
            [0.0229, 0.0621, 0.2190, 0.1928, 0.2843, 0.2190],
            [0.2516, 0.1013, 0.1078, 0.1601, 0.1928, 0.1863],
            [0.5523, 0.0359, 0.0294, 0.1667, 0.1667, 0.0490],
            [0.7418, 0.1209, 0.0163, 0.0621, 0.0359, 0.0229],
            [0.0425, 0.0294, 0.0294, 0.0882, 0.0882, 0.7222],
            [0.3170, 0.2190, 0.1928, 0.2255, 0.0425, 0.0033],
            [0.2843, 0.0033, 0.0033, 0.0033, 0.0033, 0.7026],
            [0.2386, 0.0752, 0.2582, 0.3301, 0.0948, 0.0033],
            [0.0033, 0.0098, 0.0621, 0.2190, 0.4542, 0.2516],
        ],
    },
];

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, Normal};

    use super::super::identify::{DESCRIPTOR_NAMES, Descriptors, bins, describe_sample};
    use super::super::measure::Marked;
    use super::*;
    use crate::appearance::{Appearance, Material};
    use crate::registry::Registry;
    use crate::{Domain, SampleKey};

    /// Drawn defects of each mechanism.
    const DRAWN: u64 = 150;

    /// A plain photo with a plate on a darker ground, or filled by the plate.
    fn photo(rng: &mut ChaCha8Rng) -> (Array3<f32>, Domain) {
        let noise = Normal::new(0.0, rng.random_range(0.004..0.02)).unwrap();
        let (base, ground, side) = (rng.random_range(0.35..0.7), rng.random_range(0.1..0.25), 200usize);
        let fills = rng.random::<f64>() < 0.5;
        let plate =
            Array2::from_shape_fn((side, side), |(y, x)| fills || (24..176).contains(&y) && (16..184).contains(&x));
        let photo = Array3::from_shape_fn((side, side, 3), |(y, x, _)| {
            let v = if plate[[y, x]] { base + 0.05 * x as f64 / side as f64 } else { ground };
            (v + noise.sample(rng)) as f32
        });
        (photo, Domain::from_mask(plate).unwrap())
    }

    pub(crate) fn drawn(mechanism: MechanismKind, seed: u64, count: u64) -> Vec<Descriptors> {
        let registry = Registry::standard();
        let entry = registry.calibrated_entry(mechanism).unwrap();
        let looks = [Material::MATTE, Material::GLOSSY_PLASTIC, Material::METAL];
        let mut found = Vec::new();
        for index in 0.. {
            let mut rng = ChaCha8Rng::seed_from_u64(seed * 1_000_003 + index);
            let (photo, domain) = photo(&mut rng);
            let look = Appearance::new(looks[(index % 3) as usize]);
            let synthesizer = entry.synthesizer(look, (0.0, 1.0)).unwrap();
            let Ok(sample) = synthesizer.synthesize(photo.view(), &domain, SampleKey { seed, index }) else {
                assert!(index < 4 * count + 20, "{mechanism:?} makes too few");
                continue;
            };
            let (h, w, _) = photo.dim();
            let image = sample.paste(photo.view()).unwrap().mapv(|v| (v * 255.0).round() / 255.0);
            let mask = sample.full_mask(h, w).unwrap();
            if let Ok(described) = describe_sample(&Marked::new(image.view(), mask.view()).on(&domain)) {
                found.push(described);
            }
            if found.len() as u64 == count {
                break;
            }
        }
        found
    }

    type Edges = [[f64; BINS - 1]; DESCRIPTORS];

    fn shares(all: &[Descriptors], edges: &Edges) -> [[f64; BINS]; DESCRIPTORS] {
        let mut counts = [[0.5; BINS]; DESCRIPTORS];
        for d in all {
            bins(d, edges).into_iter().enumerate().for_each(|(k, bin)| counts[k][bin] += 1.0);
        }
        counts.map(|row| row.map(|c| c / (all.len() as f64 + 0.5 * BINS as f64)))
    }

    /// Prints the tables: `cargo test -p physdefect --lib print_the_tables -- --ignored --nocapture`.
    #[test]
    #[ignore = "prints the tables"]
    #[allow(clippy::print_stdout)]
    fn print_the_tables() {
        let all: Vec<Vec<Descriptors>> = REFERENCES.iter().map(|r| drawn(r.mechanism, 1, DRAWN)).collect();
        let edges: Edges = std::array::from_fn(|k| {
            // Finer than this, waviness, signs and shares say nothing.
            match DESCRIPTOR_NAMES[k] {
                "waviness" => return [0.02, 0.05, 0.1, 0.2, 0.4],
                "darker or brighter" => return [-0.9, -0.5, 0.0, 0.5, 0.9],
                "one-sidedness" => return [0.2, 0.4, 0.6, 0.8, 0.95],
                "at the outline" => return [0.1, 0.25, 0.5, 0.75, 0.9],
                _ => {}
            }
            let mut values: Vec<f64> = all.iter().flatten().map(|d| d[k]).collect();
            values.sort_by(f64::total_cmp);
            std::array::from_fn(|i| (values[(i + 1) * values.len() / BINS] * 1e3).round() / 1e3)
        });
        println!("pub(super) const EDGES: [[f64; BINS - 1]; DESCRIPTORS] = [");
        for (row, name) in edges.iter().zip(DESCRIPTOR_NAMES) {
            println!("    {row:?}, // {name}");
        }
        println!("];\nREFERENCES");
        for (r, all) in REFERENCES.iter().zip(&all) {
            let own = Reference { shares: shares(all, &edges), ..*r };
            let mut scores: Vec<f64> = all.iter().map(|d| own.score_in(d, &edges)).collect();
            scores.sort_by(f64::total_cmp);
            println!("    Reference {{\n        mechanism: MechanismKind::{:?},", r.mechanism);
            println!("        threshold: {:.3},\n        shares: [", scores[scores.len() / 20]);
            for row in own.shares {
                println!("            [{}],", row.map(|s| format!("{s:.4}")).join(", "));
            }
            println!("        ],\n    }},");
        }
        println!("END");
    }
}
