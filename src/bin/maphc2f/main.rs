//! The command `maphc2f`: data sets of synthetic defects from good photos, and detectors trained on them.
#![forbid(unsafe_code)]
#![allow(unreachable_pub)] // modules of a program are nobody's library

mod args;
mod calibrate;
mod check;
mod config;
mod console;
mod evaluate;
mod foreground;
mod inspect;
mod preview;
mod quality;
mod recipe;
mod repeated;
mod synth;
mod threshold;
mod train;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Args, Command};
use console::Console;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let given: Vec<_> = std::env::args_os().collect();
    let outcome = config::with_file(&Args::command(), given);
    let args = match outcome {
        Ok(full) => Args::from_arg_matches(&Args::command().get_matches_from(full)).unwrap_or_else(|e| e.exit()),
        Err(e) => return Console::default().fail(e.as_ref()),
    };
    let console = Console::new(args.json, args.quiet);
    match run(&args, &console) {
        Ok(code) => console.end(code),
        Err(e) => console.fail(e.as_ref()),
    }
}

fn run(args: &Args, console: &Console) -> Result<u8> {
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global()?;
    }
    match &args.command {
        Command::Synth(args) => synth::run(args, console),
        Command::Verify(args) => check::verify(args, console),
        Command::Replay(args) => check::replay(args, console),
        Command::Preview(args) => preview::run(args, console),
        Command::Quality(args) => quality::run(args, console),
        Command::Foreground(args) => foreground::run(args, console),
        Command::Train(args) => train::run(args, console),
        Command::Evaluate(args) => evaluate::run(args, console),
        Command::Inspect(args) => inspect::run(args, console),
        Command::Calibrate(args) => calibrate::run(args, console),
    }
}
