//! `maphc2f inspect --watch`: photos as they come.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use maphc2f::imgkit::file::{escaped, lies_in};
use maphc2f::{Decision, FolderWatch, InspectionLine, Inspector, prepare_folder};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::lines::Lines;
use crate::Result;
use crate::args::InspectArgs;
use crate::console::Console;

/// Time between two looks at the folder where none is given.
const POLL: u64 = 500;

/// Longest sleep, after which it is seen whether the program shall end.
const NAP: Duration = Duration::from_millis(20);

/// What was counted.
#[derive(Debug, Default)]
pub struct Counts {
    pub images: usize,
    pub anomalous: usize,
    pub unreadable: usize,
    pub not_read: usize,
    /// Photos that the lines held already.
    pub known: usize,
}

/// Whether the program was told to end. A second signal ends it at once.
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn listen() -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // in this order: the first signal finds the flag unset
            flag::register_conditional_shutdown(signal, 2, stop.clone())?;
            flag::register(signal, stop.clone())?;
        }
        Ok(Self(stop))
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sleeps until a time, or until the program shall end.
    fn sleep_until(&self, time: Instant) {
        while !self.is_set() {
            match time.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => thread::sleep(left.min(NAP)),
                _ => return,
            }
        }
    }
}

/// Inspects what comes into a folder until told to end.
pub fn watch(
    mut watch: FolderWatch,
    folder: &Path,
    inspector: &Inspector<'_>,
    lines: &mut Lines,
    stop: &Stop,
    args: &InspectArgs,
    console: &Console,
) -> Result<Counts> {
    let heat = args.out.as_ref().map(|out| out.join("heat"));
    if let Some(heat) = &heat {
        if lies_in(heat, folder) && lies_in(folder, heat) {
            return Err(format!("{}: heat maps would be photos there: choose another --out", escaped(folder)).into());
        }
        prepare_folder(heat)?;
    }
    let poll = Duration::from_millis(args.poll.unwrap_or(POLL));
    let mut counts = Counts::default();
    while !stop.is_set() && lines.are_read() {
        let next = Instant::now() + poll;
        for arrival in watch.poll()? {
            if stop.is_set() || !lines.are_read() {
                break;
            }
            let path = arrival.path.as_path();
            if let Some(file) = &arrival.not_read {
                let line = inspector.line_of_not_read(file);
                if !holds(lines, &line) {
                    counts.not_read += 1;
                    console.say(file);
                    lines.push(&line)?;
                }
                watch.done(path);
                continue;
            }
            let name = escaped(path);
            let Some(inspection) = inspector.inspect_unless(path, &|sha256| lines.holds(&name, sha256)) else {
                counts.known += 1;
                watch.done(path);
                continue;
            };
            match &inspection.outcome {
                Err(_) if !arrival.is_final => {
                    watch.wait_for(path);
                    continue;
                }
                Err(reason) => {
                    counts.unreadable += 1;
                    console.say(&format!("skipped: {}", reason.to_string().replace('\n', "; ")));
                }
                Ok(seen) => {
                    counts.anomalous += usize::from(inspection.line.decision == Some(Decision::Anomalous));
                    if let Some(heat) = &heat {
                        inspector.save_heat_map(seen, path, heat)?;
                    }
                }
            }
            counts.images += 1;
            // last: a photo with a line needs nothing more
            lines.push(&inspection.line)?;
            watch.done(path);
        }
        stop.sleep_until(next);
    }
    Ok(counts)
}

fn holds(lines: &Lines, line: &InspectionLine) -> bool {
    line.photo_sha256.as_ref().is_some_and(|sha256| lines.holds(&line.photo, sha256))
}
