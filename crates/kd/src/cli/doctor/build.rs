//! The program itself.

use super::check::Check;

pub fn checks() -> Vec<Check> {
    vec![versions(), features()]
}

fn versions() -> Check {
    let kd = env!("CARGO_PKG_VERSION");
    let (burn, rustc) = (option_env!("KD_BURN"), option_env!("KD_RUSTC"));
    let mut found = format!("kd {kd}");
    if let Some(burn) = burn {
        found += &format!(", Burn {burn}");
    }
    if let Some(rustc) = rustc {
        found += &format!(", built with {rustc}");
    }
    Check::ok("versions", found)
        .value("kd", kd)
        .value("burn", burn)
        .value("rustc", rustc)
}

/// Features of this crate, with whether they are in this build.
const FEATURES: [(&str, bool); 6] = [
    ("flex", cfg!(feature = "flex")),
    ("ndarray", cfg!(feature = "ndarray")),
    ("cuda", cfg!(feature = "cuda")),
    ("wgpu", cfg!(feature = "wgpu")),
    ("download", cfg!(feature = "download")),
    ("mimalloc", cfg!(feature = "mimalloc")),
];

fn features() -> Check {
    let features = FEATURES.iter().filter(|(_, built)| *built);
    let names: Vec<&str> = features.map(|(name, _)| *name).collect();
    let kind = match cfg!(debug_assertions) {
        true => "debug build",
        false => "release build",
    };
    let check = Check::ok("build", format!("{kind} with {}", names.join(", ")))
        .value("features", names.clone())
        .value("release", !cfg!(debug_assertions));
    match (cfg!(debug_assertions), names.contains(&"mimalloc")) {
        (true, _) => check.note("build with --release to train faster"),
        (false, false) => check.note("--features mimalloc trains faster on a CPU"),
        (false, true) => check,
    }
}
