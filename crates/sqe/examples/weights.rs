//! Turns qualities into sample weights of a training, or into a filter.
#![allow(clippy::print_stdout)] // the program prints its result

use sqe::{Error, effective_sample_size, keep_best, mean_one_weights, temper_to_ess};

fn main() -> Result<(), Error> {
    let quality = [0.02, 0.05, 0.93, 0.10, 0.31, 0.04, 0.07, 0.01];

    // weights of mean one: the learning rate keeps its meaning
    let Some(weights) = mean_one_weights(&quality) else {
        println!("all qualities are zero or not finite: no weights");
        return Ok(());
    };
    let ess = effective_sample_size(&weights);
    println!("weights  {weights:.2?}: effective sample size {ess:.1} of {}", quality.len());

    // one sample would take most of the gradient: pull the weights together until half of the samples count
    let tempered = temper_to_ess(&weights, 0.5);
    println!("tempered {tempered:.2?}: effective sample size {:.1}", effective_sample_size(&tempered));

    // or train on the best quarter alone
    println!("best quarter: samples {:?}", keep_best(&quality, 0.25)?);
    Ok(())
}
