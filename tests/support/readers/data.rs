//! Data sets.

use std::path::{Path, PathBuf};

use kd_data::{Cifar, DataError, ImageFiles, Limits, Splits};

use super::{check, scratch};

/// Pixel bytes of an image.
const PIXELS: usize = 3 * 32 * 32;

/// One file of CIFAR in the binary layout, beside others of one record; the first byte says which.
pub(super) fn cifar_binary(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let record = |labels: usize| vec![1; labels + PIXELS];
    let (set, names, others) = match which % 2 {
        0 => (
            Cifar::Cifar10,
            "batches.meta.txt",
            ten("data_batch_", ".bin"),
        ),
        _ => (
            Cifar::Cifar100,
            "fine_label_names.txt",
            vec!["train.bin".to_owned(), "test.bin".to_owned()],
        ),
    };
    let labels = if set == Cifar::Cifar10 { 1 } else { 2 };
    let folder = scratch::folder("cifar_binary").join(format!("{set:?}"));
    let content = |_: &str| record(labels);
    read_cifar(set, &folder, (names, &others), content, (which / 2, bytes));
}

/// The same in the layout for Python.
pub(super) fn cifar_python(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let (set, names, others) = match which % 2 {
        0 => (Cifar::Cifar10, "batches.meta", ten("data_batch_", "")),
        _ => (
            Cifar::Cifar100,
            "meta",
            vec!["train".to_owned(), "test".to_owned()],
        ),
    };
    let keys: &[&str] = match set {
        Cifar::Cifar10 => &["labels"],
        Cifar::Cifar100 => &["coarse_labels", "fine_labels"],
    };
    let folder = scratch::folder("cifar_python").join(format!("{set:?}"));
    let content = |_: &str| pickled(keys);
    read_cifar(set, &folder, (names, &others), content, (which / 2, bytes));
}

/// The names of the files of CIFAR-10.
fn ten(before: &str, after: &str) -> Vec<String> {
    let train = (1..=5).map(|number| format!("{before}{number}{after}"));
    train.chain([format!("test_batch{after}")]).collect()
}

/// Reads the set with one file replaced: that of the names, or the first one of the images.
fn read_cifar(
    set: Cifar,
    folder: &Path,
    (names, others): (&str, &[String]),
    content: impl Fn(&str) -> Vec<u8>,
    (which, bytes): (u8, &[u8]),
) {
    for name in others {
        let path = folder.join(name);
        if !path.exists() {
            scratch::write(&path, &content(name));
        }
    }
    let path = match which % 2 {
        0 => folder.join(&others[0]),
        _ => folder.join(names),
    };
    scratch::write(&path, bytes);
    use_splits(set.read(folder, Limits::default()), Some(&path));
    match which % 2 {
        0 => scratch::write(&path, &content(&others[0])),
        _ => scratch::remove(&path),
    }
}

/// An image of CIFAR for Python, in protocol 2.
fn pickled(keys: &[&str]) -> Vec<u8> {
    let text = |text: &str| {
        let mut bytes = vec![b'U', text.len() as u8];
        bytes.extend(text.as_bytes());
        bytes
    };
    let mut bytes = vec![0x80, 2, b'}', b'('];
    for key in keys {
        bytes.extend(text(key));
        // A list of the number 1.
        bytes.extend([b']', b'K', 1, b'a']);
    }
    bytes.extend(text("data"));
    // An object with the state (1, (1, 3072), None, False, bytes).
    bytes.extend(b"cnumpy\nndarray\n)R(K\x01K\x01M\x00\x0c\x86N\x89T\x00\x0c\x00\x00");
    bytes.extend(vec![7; PIXELS]);
    bytes.extend(b"tbu.");
    bytes
}

/// A list of Tiny-ImageNet, beside images and lists that are right; the first byte says which.
pub(super) fn tiny_imagenet(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let folder = scratch::folder("tiny_imagenet");
    let lists: [(&str, &[u8]); 3] = [
        ("wnids.txt", b"n1\nn2\n"),
        ("val/val_annotations.txt", b"a.png\tn1\t0\t0\t1\t1\n"),
        ("words.txt", b"n1\tone\n"),
    ];
    for (name, content) in lists {
        scratch::write(&folder.join(name), content);
    }
    for name in [
        "train/n1/images/a.png",
        "train/n2/images/a.png",
        "val/images/a.png",
    ] {
        let path = folder.join(name);
        if !path.exists() {
            scratch::write(&path, PNG);
        }
    }
    let (name, _) = lists[usize::from(*which) % lists.len()];
    scratch::write(&folder.join(name), bytes);
    use_splits(ImageFiles::default().read_tiny_imagenet(&folder), None);
}

/// A gray pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\
                     \0\0\0\nIDATx\xdac`\0\0\0\x02\0\x01\xe5'\xde\xfc\0\0\0\0IEND\xaeB`\x82";

/// An image in a folder of images: as it is, and brought to another size.
pub(super) fn image(bytes: &[u8]) {
    let folder = scratch::folder("image");
    let path = folder.join("train/class/image.png");
    scratch::write(&path, bytes);
    scratch::write(&folder.join("val/class/image.png"), PNG);
    let limits = Limits {
        train: None,
        test: Some(0),
    };
    let as_it_is = ImageFiles {
        limits,
        ..ImageFiles::default()
    };
    use_splits(as_it_is.read_folder(&folder, None), Some(&path));
    let streamed = ImageFiles {
        image_size: Some(24),
        memory: 0,
        ..as_it_is
    };
    use_splits(streamed.read_folder(&folder, None), Some(&path));
}

/// Takes an image of each part, if there are any; an error names the file.
fn use_splits(splits: Result<Splits, DataError>, path: Option<&PathBuf>) {
    let say = |error: DataError| match path {
        Some(path) => super::check_named(&error, path),
        None => check(&error),
    };
    let splits = match splits {
        Ok(splits) => splits,
        Err(error) => return say(error),
    };
    for set in [&splits.train, &splits.test] {
        if set.is_empty() {
            continue;
        }
        match set.image(set.len() - 1) {
            Ok(image) => assert_eq!(image.len(), 3 * set.height() * set.width()),
            Err(error) => say(error),
        }
    }
}
