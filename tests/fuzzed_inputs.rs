//! What a fuzzer found, given to the readers again; and the corpora that it starts from.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kd_tests::readers::{READERS, read};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Most memory that a reader may take for an input of at most 64 KiB.
const MEGABYTES: f32 = 512.0;

/// Longest time that one may take, on a busy machine and with little optimization.
const LONGEST: Duration = Duration::from_secs(20);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files in a folder of a folder, by the name of that folder.
fn inputs(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let mut paths: Vec<_> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        paths.sort();
        paths
    };
    let of_reader = |reader: PathBuf| {
        let name = reader.file_name().unwrap_or_default().to_string_lossy();
        let files = entries(&reader).into_iter();
        files
            .map(move |file| (name.clone().into_owned(), file))
            .collect::<Vec<_>>()
    };
    entries(folder).into_iter().flat_map(of_reader).collect()
}

fn replay(folder: &Path) {
    for (reader, path) in inputs(folder) {
        let bytes = fs::read(&path).expect("an input");
        MEMORY.reset_peak_usage();
        let started = Instant::now();
        let panicked = catch_unwind(|| read(&reader, &bytes)).is_err();
        assert!(!panicked, "{}", path.display());
        let (peak, time) = (MEMORY.peak_usage_as_mb(), started.elapsed());
        assert!(peak < MEGABYTES, "{}: {peak} MB", path.display());
        assert!(time < LONGEST, "{}: {time:?}", path.display());
    }
}

#[test]
fn inputs_that_broke_a_reader_are_refused_or_read() {
    replay(&root().join("fixtures/fuzz"));
}

#[test]
fn the_corpora_are_refused_or_read() {
    replay(&root().join("../fuzz/corpus"));
}

#[test]
fn every_reader_has_a_target_and_a_corpus() {
    let readers: BTreeSet<_> = READERS
        .iter()
        .map(|reader| reader.name.to_owned())
        .collect();
    let fuzz = root().join("../fuzz");
    let corpora: BTreeSet<_> = inputs(&fuzz.join("corpus"))
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(corpora, readers);
    for name in readers {
        let target = fuzz.join(format!("fuzz_targets/{name}.rs"));
        let text =
            fs::read_to_string(&target).unwrap_or_else(|error| panic!("{target:?}: {error}"));
        assert!(text.contains(&format!("read(\"{name}\", bytes)")), "{text}");
    }
}
