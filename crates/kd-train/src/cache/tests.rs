//! The cache against the teacher itself.

use std::fs;

use kd_data::{Loader, LoaderConfig, ProceduralConfig};
use kd_models::{AnyNetwork, Architecture};

use super::*;
use crate::{compiled_devices, device_by_name};

const IMAGES: usize = 25;

#[derive(Clone)]
struct Scene {
    teacher: FrozenTeacher<AnyNetwork>,
    loader: Loader,
    device: Device,
}

/// A teacher of random weights, and batches of 7 images and a last one of 4.
fn scene(device: &str, seed: u64, augmentation: Augmentation) -> Scene {
    scene_of("resnet8", device, seed, augmentation)
}

fn scene_of(name: &str, device: &str, seed: u64, augmentation: Augmentation) -> Scene {
    // Scenes are drawn one at a time. Other tests may draw meanwhile: weights of equal seeds need not be
    // equal.
    static DRAWING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let device = device_by_name(device).expect("a device");
    let guard = DRAWING.lock();
    kd_core::seed(seed, &device);
    let network = Architecture::by_name(name).expect("known");
    let network = network.init(10, &device);
    let network = kd_core::initialize(network);
    drop(guard);
    let set = ProceduralConfig {
        train: IMAGES,
        test: 1,
        ..ProceduralConfig::default()
    };
    let config = LoaderConfig {
        augmentation,
        ..LoaderConfig::train(7, 0)
    };
    Scene {
        teacher: FrozenTeacher::new(name, &network),
        loader: Loader::new(set.generate().expect("images").train, config).expect("a loader"),
        device,
    }
}

/// The same teacher and images with another augmentation.
fn shown_as(scene: &Scene, augmentation: Augmentation) -> Scene {
    let config = LoaderConfig {
        augmentation,
        ..scene.loader.config().clone()
    };
    Scene {
        loader: Loader::new(scene.loader.set().clone(), config).expect("a loader"),
        ..scene.clone()
    }
}

impl Scene {
    fn open(&self, place: &CachePlace, limit: u64, reads: Reads) -> TeacherCache {
        self.try_open(place, limit, reads).expect("a cache")
    }

    fn try_open(
        &self,
        place: &CachePlace,
        limit: u64,
        reads: Reads,
    ) -> Result<TeacherCache, TrainError> {
        let place = place.clone();
        let config = TeacherCacheConfig { place, limit };
        let augmentation = self.loader.config().augmentation;
        let set = self.loader.set();
        config.open(&self.teacher, set, &augmentation, reads, &self.device)
    }

    /// Runs an epoch and compares every output with a computed one, to the last digit.
    fn epoch(&self, cache: &mut TeacherCache, epoch: usize) {
        for batch in self.loader.epoch(epoch, &self.device.clone().autodiff()) {
            let kept = cache.features(&self.teacher, &batch).expect("features");
            let computed = self.teacher.summary(batch.images);
            let same = |a: Tensor<2>, b: Tensor<2>| a.into_data() == b.into_data();
            assert!(same(kept.logits, computed.logits));
            match cache.kept {
                Kept::Logits => assert_eq!(kept.pooled.dims(), [batch.host_indices.len(), 1]),
                Kept::LogitsAndPooled => assert!(same(kept.pooled, computed.pooled)),
            }
            assert!(kept.maps.is_empty() && kept.preact.is_empty());
        }
        cache.flush().expect("flushed");
    }
}

/// Without a pad, an image has two views: itself and its mirror image.
#[test]
fn augmentations_with_too_many_views_are_refused_by_name() {
    let rotate = Augmentation::RotateFlip { degrees: 20.0 };
    for augmentation in [rotate, Augmentation::RESIZED_CROP] {
        let scene = scene("flex", 1, augmentation);
        let error = scene.try_open(&CachePlace::Memory, 1 << 20, Reads::Logits);
        let expected = format!(
            "teacher.cache cannot be used with augmentation.kind: {}",
            augmentation.name()
        );
        assert_eq!(error.expect_err("refused").to_string(), expected);
    }
}

const MIRROR: Augmentation = Augmentation::crop_flip(0);
const ROOM: u64 = 1 << 20;

fn places() -> (tempfile::TempDir, [CachePlace; 2]) {
    let folder = tempfile::tempdir().expect("a folder");
    let inside = CachePlace::Folder(folder.path().join("cache"));
    (folder, [CachePlace::Memory, inside])
}

fn the_file(folder: &Path) -> std::path::PathBuf {
    let mut files = fs::read_dir(folder.join("cache")).expect("a folder");
    files.next().expect("a file").expect("a file").path()
}

#[test]
fn outputs_are_those_of_the_teacher_and_computed_once_a_view() {
    for device in compiled_devices() {
        let scene = scene(device, 3, MIRROR);
        let (_folder, places) = places();
        for (place, reads) in [
            (&places[0], Reads::Logits),
            (&places[0], Reads::Pooled),
            (&places[1], Reads::Logits),
            (&places[1], Reads::Pooled),
        ] {
            let mut cache = scene.open(place, ROOM, reads);
            let epochs = if device == "ndarray" { 2 } else { 6 };
            for epoch in 0..epochs {
                scene.epoch(&mut cache, epoch);
            }
            let report = cache.report();
            assert_eq!(report.read + report.computed, (epochs * IMAGES) as u64);
            assert_eq!(report.computed, report.rows as u64);
            assert!((IMAGES..=2 * IMAGES).contains(&report.rows), "{report:?}");
            assert!(report.read > 0);

            // Views that were seen cost nothing.
            scene.epoch(&mut cache, 0);
            assert_eq!(cache.report().computed, report.computed);
        }
    }
}

#[test]
fn a_later_run_reads_what_an_earlier_one_computed() {
    let scene = scene("flex", 3, Augmentation::CIFAR);
    let (_folder, [_, place]) = places();
    let mut first = scene.open(&place, ROOM, Reads::Logits);
    scene.epoch(&mut first, 0);
    let mut second = scene.open(&place, ROOM, Reads::Logits);
    scene.epoch(&mut second, 0);
    assert_eq!(second.report().computed, 0);
    // A run that is still at it knows the other's rows after its next addition.
    scene.epoch(&mut second, 1);
    scene.epoch(&mut first, 2);
    let before = first.report();
    scene.epoch(&mut first, 1);
    assert_eq!(first.report().computed, before.computed);
}

#[test]
fn other_weights_images_and_settings_have_files_of_their_own() {
    let (folder, [_, place]) = places();
    // Drawn once: the device's generator is the process's, and other tests draw from it meanwhile, also
    // between the seed and the weights.
    let full = scene("flex", 3, MIRROR);
    let base = || full.clone();
    let mut cache = full.open(&place, ROOM, Reads::Logits);
    full.epoch(&mut cache, 0);
    let folded = Scene {
        teacher: base().teacher.folded(),
        ..base()
    };
    let fewer = Scene {
        loader: Loader::new(
            base().loader.set().clone().limit(20),
            base().loader.config().clone(),
        )
        .expect("a loader"),
        ..base()
    };
    let others = [
        (scene("flex", 4, MIRROR), Reads::Logits),
        (shown_as(&full, Augmentation::None), Reads::Logits),
        (base(), Reads::Pooled),
        (folded, Reads::Logits),
        (fewer, Reads::Logits),
    ];
    for (other, reads) in others {
        assert_eq!(other.open(&place, ROOM, reads).report().rows, 0);
    }
    assert_eq!(
        base().open(&place, ROOM, Reads::Logits).report().rows,
        IMAGES
    );
    let files = fs::read_dir(folder.path().join("cache")).expect("a folder");
    assert_eq!(files.count(), 6);
}

#[test]
fn rows_of_something_else_are_found_out() {
    let scene = scene("flex", 3, MIRROR);
    let (folder, [_, place]) = places();
    // Rows that are sound, and wrong.
    let wrong = |change: &dyn Fn(Tensor<2>) -> Tensor<2>| {
        scene.open(&place, ROOM, Reads::Logits);
        let path = the_file(folder.path());
        fs::remove_file(&path).expect("removed");
        let mut cache = scene.open(&place, ROOM, Reads::Logits);
        for batch in scene.loader.epoch(0, &scene.device) {
            let images = batch.images.clone();
            cache.features(&scene.teacher, &batch).expect("features");
            let logits = change(scene.teacher.summary(images).logits);
            if let Some((_, rows)) = cache.pending.last_mut() {
                *rows = logits;
            }
        }
        cache.flush().expect("flushed");
        let mut again = scene.open(&place, ROOM, Reads::Logits);
        let batch = scene
            .loader
            .epoch(0, &scene.device)
            .next()
            .expect("a batch");
        again
            .features(&scene.teacher, &batch)
            .map(|_| again.unproven)
    };
    let message = wrong(&|logits| logits + 1.0)
        .expect_err("wrong rows")
        .to_string();
    assert!(
        message.starts_with("teacher.cache is a cache whose rows differ by 1"),
        "{message}"
    );
    assert!(wrong(&|logits| logits * f32::NAN).is_err());
    let one = |logits: Tensor<2>| {
        let nan = Tensor::full([1, 1], f32::NAN, &logits.device());
        logits.slice_assign([0..1, 3..4], nan)
    };
    assert!(wrong(&one).is_err());
    assert!(matches!(wrong(&|logits| logits + 1e-6), Ok(false)));
    assert!(matches!(wrong(&|logits| logits), Ok(false)));
}

#[test]
fn rows_that_are_lost_or_damaged_during_a_run_are_computed_again() {
    let scene = scene("flex", 3, MIRROR);
    let (folder, [_, place]) = places();
    let mut cache = scene.open(&place, ROOM, Reads::Logits);
    scene.epoch(&mut cache, 0);
    let path = the_file(folder.path());
    let whole = fs::read(&path).expect("bytes");
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&path, &damaged).expect("written");
    let before = cache.report().computed;
    scene.epoch(&mut cache, 0);
    assert_eq!(cache.report().computed, before + 1);
    // The new row counts from now on.
    scene.epoch(&mut cache, 0);
    assert_eq!(cache.report().computed, before + 1);

    // Another run has dropped what this one knows: it stops to add, and goes on.
    fs::write(&path, &whole[..middle]).expect("written");
    for epoch in [0, 1, 2] {
        scene.epoch(&mut cache, epoch);
    }
    assert_eq!(fs::metadata(&path).expect("a file").len(), middle as u64);
}

#[test]
fn rows_that_another_run_adds_are_compared_too() {
    let scene = scene("flex", 3, MIRROR);
    let (_folder, [_, place]) = places();
    let mut first = scene.open(&place, ROOM, Reads::Logits);
    let mut second = scene.open(&place, ROOM, Reads::Logits);
    scene.epoch(&mut first, 0);
    assert!(!first.unproven);
    scene.epoch(&mut second, 1);
    assert!(second.unproven);
    scene.epoch(&mut second, 0);
    assert!(!second.unproven);
}

#[test]
fn a_long_batch_gives_the_logits_of_a_short_one() {
    // 960 and 1280 numbers in, ten out: a product that libraries cut into sums by its size.
    for name in ["shufflenetv1", "mobilenetv2_100"] {
        let scene = scene_of(name, "flex", 5, MIRROR);
        let normal = burn::tensor::Distribution::Normal(0.0, 1.0);
        let images = Tensor::<4>::random([100, 3, 32, 32], normal, &scene.device);
        let logits = |images| scene.teacher.summary(images).logits;
        let all = logits(images.clone());
        for (first, count) in [(0, 4), (30, 64), (1, 70), (60, 40)] {
            let part = logits(images.clone().narrow(0, first, count));
            let expected = all.clone().narrow(0, first, count);
            assert_eq!(
                part.into_data(),
                expected.into_data(),
                "{name} {first} {count}"
            );
        }
    }
}

#[test]
fn a_full_cache_computes_what_has_no_room() {
    let scene = scene("flex", 3, MIRROR);
    for place in places().1 {
        let mut cache = scene.open(&place, 600, Reads::Logits);
        for epoch in 0..3 {
            scene.epoch(&mut cache, epoch);
        }
        let report = cache.report();
        assert!(report.bytes <= 600 && report.rows >= 10, "{report:?}");
        assert!(report.computed > report.rows as u64 && report.read > 0);
    }
}

#[test]
fn small_batches_are_left_alone() {
    let scene = scene("flex", 3, MIRROR);
    let mut cache = scene.open(&CachePlace::Memory, ROOM, Reads::Pooled);
    let mut computed = 0;
    for size in [1, 3] {
        let config = LoaderConfig::evaluate(size);
        let loader = Loader::new(scene.loader.set().clone(), config).expect("a loader");
        let batch = loader.epoch(0, &scene.device).next().expect("a batch");
        for _ in 0..2 {
            let kept = cache.features(&scene.teacher, &batch).expect("features");
            let direct = scene.teacher.summary(batch.images.clone());
            assert_eq!(kept.logits.into_data(), direct.logits.into_data());
            cache.flush().expect("flushed");
            computed += size as u64;
            let report = cache.report();
            assert_eq!((report.rows, report.computed), (0, computed));
        }
    }
}

#[test]
fn wide_and_depthwise_networks_give_the_same_outputs_in_other_batches() {
    for name in ["resnet8x4", "mobilenetv2_050", "shufflenetv1"] {
        let scene = scene_of(name, "flex", 5, MIRROR);
        let mut cache = scene.open(&CachePlace::Memory, ROOM, Reads::Pooled);
        for epoch in 0..3 {
            scene.epoch(&mut cache, epoch);
        }
        assert!(cache.report().read > 0);
    }
}

#[test]
fn devices_that_compile_for_a_shape_compute_in_whole_granules() {
    let scene = scene("flex", 3, MIRROR);
    let mut cache = scene.open(&CachePlace::Memory, ROOM, Reads::Logits);
    cache.granule = 4;
    for epoch in 0..4 {
        scene.epoch(&mut cache, epoch);
    }
    assert!(cache.report().read > 0);
}

#[test]
fn any_name_of_a_teacher_gives_a_file_name() {
    let name = file_name("../my net.pth", &[0xab; 32]);
    assert_eq!(name, "---my-net-pth-abababababababab.kdcache");
}

#[test]
fn maps_are_not_kept() {
    let scene = scene("flex", 3, MIRROR);
    let error = scene.try_open(&CachePlace::Memory, ROOM, Reads::Maps);
    let message = error.expect_err("maps").to_string();
    assert!(
        message.contains("only logits or pooled features"),
        "{message}"
    );
}

#[test]
fn a_folder_that_is_a_file_is_an_error_that_names_it() {
    let scene = scene("flex", 3, MIRROR);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("written");
    let place = CachePlace::Folder(file.join("below"));
    let error = scene.try_open(&place, ROOM, Reads::Logits);
    let message = error.expect_err("no folder").to_string();
    assert!(message.contains("file/below/resnet8-"), "{message}");
}
