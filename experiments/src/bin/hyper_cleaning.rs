//! Measures whether learned weights find wrong labels: handwritten digits, three training labels in ten wrong.
//!
//! ```text
//! cargo run --release -p experiments --bin hyper_cleaning [-- --seeds N] [--wrong FRACTION]
//! ```
//!
//! 1000 digits to train on, 200 trusted ones in the upper level, the other 597 to test. Ends with
//! `result auroc=<f> accuracy_equal=<f> accuracy_learned=<f> seeds=<n>`, means over the seeds. Five seeds stand in
//! `docs/bilevel-report.md`.

use std::process::ExitCode;

use experiments::args::number;
use experiments::cleaning::{Cleaning, Setting};
use experiments::program::{Result, finish, say};
use maphc2f::bilevel::ForwardDifference;

fn main() -> ExitCode {
    finish(run())
}

fn run() -> Result<String> {
    let (mut seeds, mut wrong) = (5u64, 0.3f64);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("seeds") => seeds = number(&mut args, "seeds")?,
            lexopt::Arg::Long("wrong") => wrong = number(&mut args, "wrong")?,
            _ => return Err(arg.unexpected().into()),
        }
    }
    if seeds == 0 || !(wrong > 0.0 && wrong < 1.0) {
        return Err("--seeds must be at least 1, --wrong between 0 and 1".into());
    }
    let mut sums = [0.0; 3];
    for seed in 0..seeds {
        let setting = Setting { seed, wrong, ..Setting::default() };
        let found = Cleaning::new(&setting)?.learn(&ForwardDifference::default(), &setting)?;
        let [equal, learned] = found.accuracy;
        say(&format!(
            "seed {seed}: low weight finds wrong labels with AUROC {:.4}; test accuracy {equal:.3} with equal weights, \
             {learned:.3} with learned ones",
            found.auroc
        ));
        sums.iter_mut().zip([found.auroc, equal, learned]).for_each(|(s, v)| *s += v / seeds as f64);
    }
    let [auroc, equal, learned] = sums;
    Ok(format!("result auroc={auroc:.4} accuracy_equal={equal:.4} accuracy_learned={learned:.4} seeds={seeds}"))
}
