//! `maphc2f verify` and `maphc2f replay`.

use maphc2f::factory;
use maphc2f::imgkit::file::write_atomic;
use maphc2f::prepare_folder;
use serde_json::json;

use crate::Result;
use crate::args::{ReplayArgs, VerifyArgs};
use crate::console::Console;

pub fn verify(args: &VerifyArgs, console: &Console) -> Result<u8> {
    let bar = console.bar("blocks", 0);
    let found = factory::verify(&args.data, &|n| bar.inc(n));
    bar.finish_and_clear();
    let found = found?;
    for block in &found.unfinished {
        console.say(&format!("unfinished: block {block}"));
    }
    for (what, names) in [("missing", &found.missing), ("differs", &found.differing), ("unknown", &found.unknown)] {
        for name in names {
            console.say(&format!("{what}: {name}"));
        }
    }
    let line = format!(
        "{} samples, {} files compared: {} missing, {} differ, {} unknown, {} blocks unfinished",
        found.images,
        found.files,
        found.missing.len(),
        found.differing.len(),
        found.unknown.len(),
        found.unfinished.len()
    );
    let object = json!({
        "whole": found.is_whole(),
        "images": found.images,
        "failed": found.failed,
        "files": found.files,
        "unfinished": found.unfinished,
        "missing": found.missing,
        "differing": found.differing,
        "unknown": found.unknown,
    });
    console.result(&line, &object);
    Ok(u8::from(!found.is_whole()))
}

pub fn replay(args: &ReplayArgs, console: &Console) -> Result<u8> {
    let made = factory::replay(&args.data, &args.photos.find()?, args.index)?;
    if let Some(out) = &args.out {
        prepare_folder(out)?;
        for (name, bytes) in [("image.png", &made.image), ("mask.png", &made.mask)] {
            write_atomic(out.join(name), bytes)?;
        }
    }
    let line = if made.differing.is_empty() {
        format!("sample {} ({}) is the same to the last bit", args.index, made.entry.mechanism)
    } else {
        format!("sample {} differs in {}", args.index, made.differing.join(", "))
    };
    let object = json!({ "index": args.index, "equal": made.differing.is_empty(), "differing": made.differing });
    console.result(&line, &object);
    Ok(u8::from(!made.differing.is_empty()))
}
