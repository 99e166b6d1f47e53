//! Severity is monotone: the same seed at a larger severity is never a smaller defect.
// A failed set-up is a failed test.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use physdefect::{Error, SampleKey};
use rayon::prelude::*;

#[test]
fn a_larger_severity_is_never_smaller_over_a_thousand_seeds() {
    let domains = [common::domain(96, 120, false), common::domain(96, 120, true)];
    for model in common::models() {
        let domains = domains.each_ref().map(|domain| common::outlined(model.name(), domain));
        let refused = AtomicUsize::new(0);
        let falls: Vec<String> = (0..1000u64)
            .into_par_iter()
            .filter_map(|index| {
                let mut last = (0.0, 0.0);
                for step in [0.0, 0.21, 0.5, 0.77, 1.0] {
                    let mut rng = SampleKey { seed: 31, index }.rng();
                    // A site without room is refused at every severity: size 0.
                    let size = match model.generate(&domains[index as usize % 2], step, &mut rng) {
                        Ok(defect) => defect.measures[model.size_measure()].max(1e-6),
                        Err(Error::DomainTooSmall { .. }) => {
                            refused.fetch_add(1, Ordering::Relaxed);
                            0.0
                        }
                        Err(other) => panic!("{other}"),
                    };
                    if size < last.1 - 1e-9 {
                        return Some(format!("seed {index}: {} at {}, {size} at {step}", last.1, last.0));
                    }
                    last = (step, size);
                }
                None
            })
            .collect();
        let refused = refused.into_inner();
        assert!(refused <= 25, "{}: {refused} of 5000 draws refused", model.name());
        assert!(falls.is_empty(), "{} falls: {falls:#?}", model.name());
    }
}
