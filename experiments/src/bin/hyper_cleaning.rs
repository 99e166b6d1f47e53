//! Another user of the bi-level optimiser: handwritten digits, three training labels in ten wrong, a weight learnt for each.
//!
//! `cargo run --release -p experiments --bin hyper_cleaning [-- --seeds N] [--wrong SHARE]`
//!
//! 1000 digits to train on, 200 trusted ones above, the other 597 to test. Ends with
//! `result auroc=<f> accuracy_equal=<f> accuracy_learnt=<f> seeds=<n>`, means over the seeds.

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
        let [equal, learnt] = found.accuracy;
        say(&format!(
            "seed {seed}: low weight tells wrong labels with AUROC {:.4}; test accuracy {equal:.3} with equal weights, {learnt:.3} with learnt",
            found.auroc
        ));
        sums.iter_mut().zip([found.auroc, equal, learnt]).for_each(|(s, v)| *s += v / seeds as f64);
    }
    let [auroc, equal, learnt] = sums;
    Ok(format!("result auroc={auroc:.4} accuracy_equal={equal:.4} accuracy_learnt={learnt:.4} seeds={seeds}"))
}
