//! `maphc2f train --defects`: marked real defects beside the synthetic ones.

use std::path::Path;

use maphc2f::factory::MarkedSet;
use maphc2f::{PhotoReader, RealDefects};

use super::{Images, side};
use crate::Result;
use crate::args::TrainArgs;
use crate::console::Console;

/// Reads marked real defects and says what is known of each kind.
pub(super) fn read(folder: &Path, args: &TrainArgs, images: &Images, console: &Console) -> Result<RealDefects> {
    let sets = MarkedSet::find(folder, &PhotoReader::new(args.window))?;
    let real = RealDefects::prepare(sets, &images.normals, side(args))?;
    for kind in &real.kinds {
        let drawn = match (kind.mechanism(), &kind.unmeasured) {
            (Some(mechanism), _) => format!("drawn ones follow them by the mechanism {mechanism}"),
            (None, None) => "learned as they are: no mechanism draws such defects".to_owned(),
            (None, Some(reason)) => format!("learned as they are, for they cannot be measured: {reason}"),
        };
        let unmarked = match kind.unmarked {
            0 => String::new(),
            n => format!("; {n} photos without a mask are left out"),
        };
        console.say(&format!("{}: {} real defects, {drawn}{unmarked}", kind.name, kind.defects));
    }
    Ok(real)
}
