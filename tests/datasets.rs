//! Data sets in the layouts of the real ones, whole and damaged: `fixtures/datasets`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kd_data::{Cifar, DataError, ImageFiles, ImageSet, Limits, Splits};
use kd_tests::pixels;
use serde::Deserialize;

/// What the files hold.
#[derive(Deserialize)]
struct Manifest {
    cifar100: Cifar100,
    cifar10: Cifar10,
    tiny_imagenet: TinyImagenet,
    imagenet: Imagenet,
    images: Vec<Image>,
    corrupt: Vec<Corrupt>,
}

#[derive(Deserialize)]
struct Cifar100 {
    train_fine: Vec<usize>,
    test_fine: Vec<usize>,
}

#[derive(Deserialize)]
struct Cifar10 {
    test_labels: Vec<usize>,
    batch1_labels: Vec<usize>,
}

#[derive(Deserialize)]
struct TinyImagenet {
    sorted_order: Vec<String>,
    val_labels: Vec<String>,
}

#[derive(Deserialize)]
struct Imagenet {
    classes: Vec<String>,
}

#[derive(Deserialize)]
struct Image {
    path: String,
    /// Width, height.
    size: [usize; 2],
    stored_mode: String,
    container: String,
    rgb_mean: [f64; 3],
    pixel_0_0: [u8; 3],
    pixel_last: [u8; 3],
}

#[derive(Deserialize)]
struct Corrupt {
    path: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/datasets")
}

fn manifest() -> Manifest {
    let text = fs::read_to_string(root().join("manifest.json")).expect("the manifest");
    serde_json::from_str(&text).expect("a manifest")
}

fn labels(set: &ImageSet) -> Vec<usize> {
    (0..set.len()).map(|i| set.label(i)).collect()
}

fn bytes(set: &ImageSet) -> Vec<u8> {
    let image = |i| set.image(i).expect("an image").into_owned();
    (0..set.len()).flat_map(image).collect()
}

fn cifar(set: Cifar, folder: &str) -> Splits {
    let read = set.read(root().join(folder), Limits::default());
    read.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn cifar100_is_read_to_the_byte() {
    let expected = manifest().cifar100;
    let sets = ["cifar-100-binary", "cifar-100-python"].map(|f| cifar(Cifar::Cifar100, f));
    for splits in &sets {
        assert_eq!(labels(&splits.train), expected.train_fine);
        assert_eq!(labels(&splits.test), expected.test_fine);
        let train = pixels("cifar100/train/pixels", 40 * 3072);
        assert!(bytes(&splits.train) == train, "training images");
        let test = pixels("cifar100/test/pixels", 20 * 3072);
        assert!(bytes(&splits.test) == test, "test images");
    }
    let [binary, python] = &sets;
    assert!(binary.train.class_names().is_some());
    assert_eq!(binary.train.class_names(), python.train.class_names());
}

#[test]
fn cifar10_is_read_to_the_byte() {
    let expected = manifest().cifar10;
    let sets = ["cifar-10-binary", "cifar-10-python"].map(|f| cifar(Cifar::Cifar10, f));
    for splits in &sets {
        assert_eq!(splits.train.len(), 40);
        assert_eq!(labels(&splits.train)[..8], expected.batch1_labels);
        assert_eq!(labels(&splits.test), expected.test_labels);
        let names = (1..=5).map(|batch| format!("data_batch_{batch}"));
        let train: Vec<u8> = names
            .flat_map(|name| pixels(&format!("cifar10/{name}/pixels"), 8 * 3072))
            .collect();
        assert!(bytes(&splits.train) == train, "training images");
        let test = pixels("cifar10/test_batch/pixels", 20 * 3072);
        assert!(bytes(&splits.test) == test, "test images");
    }
    let [binary, python] = &sets;
    assert_eq!(labels(&binary.train), labels(&python.train));
    assert_eq!(
        binary.test.class_names().map(|names| &*names[3]),
        Some("cat")
    );
    assert_eq!(binary.train.class_names(), python.train.class_names());
}

#[test]
fn classes_of_tiny_imagenet_are_sorted() {
    let expected = manifest().tiny_imagenet;
    let splits = ImageFiles::default().read_tiny_imagenet(root().join("tiny-imagenet-200"));
    let splits = splits.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((splits.train.height(), splits.train.width()), (64, 64));
    assert_eq!(labels(&splits.train), [[0; 4], [1; 4], [2; 4]].concat());
    let place = |id: &String| expected.sorted_order.iter().position(|other| other == id);
    let test: Option<Vec<_>> = expected.val_labels.iter().map(place).collect();
    assert_eq!(Some(labels(&splits.test)), test);
    assert_eq!(splits.train.classes(), 3);
    let names = splits.train.class_names().expect("names");
    assert!(names.iter().all(|name| !name.starts_with('n')), "{names:?}");
}

#[test]
fn folders_of_imagenet_need_a_size_and_get_it() {
    let expected = manifest().imagenet.classes;
    let files = ImageFiles::default();
    let error = files.read_folder(root().join("imagenet"), None);
    let message = error.expect_err("images of several sizes").to_string();
    assert!(message.contains("set data.image_size"), "{message}");

    let files = ImageFiles {
        image_size: Some(32),
        ..files
    };
    let read = |files: &ImageFiles| files.read_folder(root().join("imagenet"), None);
    let held = read(&files).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(held.train.class_names(), Some(&*expected));
    assert_eq!((held.train.len(), held.test.len()), (12, 6));
    assert_eq!(labels(&held.test), [0, 0, 1, 1, 2, 2]);
    assert_eq!((held.train.height(), held.train.width()), (32, 32));
    assert!(!held.train.is_streamed());

    let streamed = ImageFiles { memory: 1, ..files };
    let streamed = read(&streamed).unwrap_or_else(|error| panic!("{error}"));
    assert!(streamed.train.is_streamed());
    assert!(streamed.train == held.train, "the same images");
}

/// The image of a file in a folder of its own, so that no other size is in the way.
fn alone(path: &Path) -> Result<ImageSet, DataError> {
    let folder = tempfile::tempdir().expect("a folder");
    for part in ["train", "val"] {
        let class = folder.path().join(part).join("class");
        fs::create_dir_all(&class).expect("a folder");
        fs::copy(path, class.join("image.jpeg")).expect("a copy");
    }
    Ok(ImageFiles::default()
        .read_folder(folder.path(), None)?
        .train)
}

#[test]
fn every_image_is_decoded_as_by_pil() {
    for image in manifest().images {
        let set = alone(&root().join(&image.path)).unwrap_or_else(|error| panic!("{error}"));
        let [width, height] = image.size;
        assert_eq!(
            (set.height(), set.width()),
            (height, width),
            "{}",
            image.path
        );
        let bytes = set.image(0).expect("decoded");
        // Decoders of JPEG differ by a level or two, and by more in the colors of printing.
        let tolerance = match (image.container.as_str(), image.stored_mode.as_str()) {
            ("PNG", _) => 0.0,
            (_, "CMYK") => 4.0,
            _ => 2.0,
        };
        for (channel, plane) in bytes.chunks(width * height).enumerate() {
            let near = |found: f64, expected: f64, tolerance: f64| {
                let distance = (found - expected).abs();
                assert!(distance <= tolerance, "{}: {found} {expected}", image.path);
            };
            let ends = [plane[0], plane[plane.len() - 1]];
            for (found, expected) in ends.iter().zip([image.pixel_0_0, image.pixel_last]) {
                near(f64::from(*found), f64::from(expected[channel]), tolerance);
            }
            let sum: f64 = plane.iter().map(|value| f64::from(*value)).sum();
            let mean = sum / plane.len() as f64;
            near(mean, image.rgb_mean[channel], 0.0001 + tolerance / 4.0);
        }
    }
}

/// The error of a damaged data set: a line that names file and reason.
fn refusal(path: &Path) -> String {
    let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
    let complete = tempfile::tempdir().expect("a folder");
    let files = ImageFiles {
        image_size: Some(32),
        ..ImageFiles::default()
    };
    let read = if name.starts_with("cifar-100") {
        Cifar::Cifar100.read(path, Limits::default())
    } else if name.starts_with("cifar-10") {
        // Only the damaged file is there: the others come from the set that is whole.
        for entry in fs::read_dir(root().join("cifar-10-binary")).expect("a folder") {
            let entry = entry.expect("an entry");
            fs::copy(entry.path(), complete.path().join(entry.file_name())).expect("a copy");
        }
        let damaged = complete.path().join("test_batch.bin");
        fs::copy(path.join("test_batch.bin"), damaged).expect("a copy");
        Cifar::Cifar10.read(complete.path(), Limits::default())
    } else if name.starts_with("tiny") {
        files.read_tiny_imagenet(path)
    } else {
        files.read_folder(path, None)
    };
    read.expect_err(name).to_string()
}

#[test]
fn every_damaged_set_is_refused_by_file_and_reason() {
    let expected = [
        ("cifar-100-truncated", "train.bin has 22518 bytes"),
        (
            "cifar-100-bad-fine-label",
            "train.bin: record 3 has fine label 200",
        ),
        (
            "cifar-100-bad-coarse-label",
            "train.bin: record 2 has coarse label 77",
        ),
        ("cifar-100-missing-test", "lacks test.bin"),
        ("cifar-100-empty", "train.bin is empty"),
        (
            "cifar-10-bad-label",
            "test_batch.bin: record 1 has label 10",
        ),
        (
            "cifar-100-python-truncated",
            "train: expected a Python pickle: damaged at byte",
        ),
        (
            "tiny-missing-val-image",
            "val_annotations.txt: line 1: the image val_0.JPEG is not in",
        ),
        ("tiny-no-wnids", "wnids.txt: No such file"),
        (
            "tiny-unknown-wnid",
            "line 1: the class n99999999 is not in wnids.txt",
        ),
        (
            "imagenet-bad-jpeg",
            "n01443537_6.JPEG: neither JPEG nor PNG",
        ),
    ];
    let named: BTreeSet<_> = expected
        .iter()
        .map(|(name, _)| format!("corrupt/{name}"))
        .collect();
    let listed: BTreeSet<_> = manifest().corrupt.into_iter().map(|c| c.path).collect();
    assert_eq!(
        named, listed,
        "a fixture without an expectation, or the reverse"
    );
    for (name, part) in expected {
        let message = refusal(&root().join("corrupt").join(name));
        assert!(message.contains(part), "{name}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn an_image_that_is_cut_off_is_refused_by_name() {
    let half = root().join("corrupt/imagenet-bad-jpeg/train/n01443537/n01443537_5.JPEG");
    let message = alone(&half).expect_err("half an image").to_string();
    assert!(message.starts_with("cannot decode"), "{message}");
    assert!(
        message.contains("image.jpeg") && message.lines().count() == 1,
        "{message}"
    );
}
