//! The readers of CIFAR, on tiny files in the official layout, whole and damaged.

use std::{
    fs,
    path::{Path, PathBuf},
};

use kd_data::{Cifar, DataError, Limits, Normalization, Splits};
use tempfile::TempDir;

/// The pixel bytes of a record.
fn pixels(record: usize) -> Vec<u8> {
    (0..3072).map(|i| (i * 7 + record * 31) as u8).collect()
}

/// A file of records with these label bytes each.
fn write(path: &Path, labels: &[&[u8]]) {
    let mut bytes = Vec::new();
    for (record, labels) in labels.iter().enumerate() {
        bytes.extend_from_slice(labels);
        bytes.extend(pixels(record));
    }
    fs::write(path, bytes).expect("a file in the temporary folder");
}

/// CIFAR-100 with 4 training and 2 test images in a subfolder.
fn cifar100() -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path().join("cifar-100-binary");
    fs::create_dir(&folder).expect("a subfolder");
    let train: [&[u8]; 4] = [&[1, 10], &[19, 99], &[0, 0], &[7, 42]];
    write(&folder.join("train.bin"), &train);
    write(&folder.join("test.bin"), &[&[3, 33], &[4, 44]]);
    (root, folder)
}

/// CIFAR-10 with 2 images in each of its six files.
fn cifar10(subfolder: &str) -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = root.path().join(subfolder);
    fs::create_dir_all(&folder).expect("a subfolder");
    for batch in 1..=5_u8 {
        let path = folder.join(format!("data_batch_{batch}.bin"));
        write(&path, &[&[batch], &[9]]);
    }
    write(&folder.join("test_batch.bin"), &[&[0], &[6]]);
    (root, folder)
}

fn labels(splits: &Splits) -> (Vec<usize>, Vec<usize>) {
    let of = |set: &kd_data::ImageSet| (0..set.len()).map(|i| set.label(i)).collect();
    (of(&splits.train), of(&splits.test))
}

/// The error of reading, and that it is one line.
fn error(set: Cifar, root: &Path) -> DataError {
    let error = set
        .read(root, Limits::default())
        .expect_err("must be refused");
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    error
}

#[test]
fn cifar100_is_read_with_its_fine_labels() {
    let (root, folder) = cifar100();
    // From the folder itself and from the one around it.
    for place in [root.path(), &folder] {
        let splits = Cifar::Cifar100
            .read(place, Limits::default())
            .expect("whole files");
        assert_eq!(labels(&splits), (vec![10, 99, 0, 42], vec![33, 44]));
        assert_eq!(*splits.train.image(3).expect("bytes"), pixels(3));
        assert_eq!(*splits.test.image(1).expect("bytes"), pixels(1));
        assert_eq!((splits.train.height(), splits.train.width()), (32, 32));
        assert_eq!(splits.test.classes(), 100);
        assert_eq!(splits.test.normalization(), Normalization::CIFAR100);
        assert_eq!(splits.train.class_names(), None);
    }
}

#[test]
fn cifar10_is_read_from_five_batches_in_order() {
    for subfolder in ["cifar-10-batches-bin", "cifar-10-binary", "."] {
        let (root, _) = cifar10(subfolder);
        let splits = Cifar::Cifar10
            .read(root.path(), Limits::default())
            .expect("whole files");
        let train = vec![1, 9, 2, 9, 3, 9, 4, 9, 5, 9];
        assert_eq!(labels(&splits), (train, vec![0, 6]));
        assert_eq!(*splits.train.image(5).expect("bytes"), pixels(1));
        assert_eq!(splits.train.classes(), 10);
        assert_eq!(splits.train.normalization(), Normalization::CIFAR10);
    }
}

#[test]
fn limits_keep_the_first_images_across_files() {
    let (root, _) = cifar10("cifar-10-binary");
    let read = |train, test| {
        let limits = Limits { train, test };
        labels(&Cifar::Cifar10.read(root.path(), limits).expect("whole"))
    };
    assert_eq!(read(Some(3), Some(1)), (vec![1, 9, 2], vec![0]));
    assert_eq!(read(Some(99), None).0.len(), 10);
    assert_eq!(read(Some(0), None), (vec![], vec![0, 6]));
}

#[test]
fn a_limit_does_not_hide_a_file_of_a_wrong_size() {
    let (root, folder) = cifar10("cifar-10-binary");
    fs::write(folder.join("data_batch_5.bin"), [0; 3074]).expect("a file");
    let limits = Limits {
        train: Some(1),
        test: Some(1),
    };
    let error = Cifar::Cifar10.read(root.path(), limits);
    assert!(matches!(
        error,
        Err(DataError::Truncated { size: 3074, .. })
    ));
}

#[test]
fn class_names_are_read_if_they_are_there() {
    let (root, folder) = cifar10("cifar-10-batches-bin");
    let file = folder.join("batches.meta.txt");
    // With the empty line at the end that the official file has.
    let names: Vec<_> = (0..10).map(|k| format!("class {k}")).collect();
    fs::write(&file, names.join("\n") + "\n\n").expect("a file");
    let splits = Cifar::Cifar10
        .read(root.path(), Limits::default())
        .expect("whole files");
    assert_eq!(splits.test.class_names(), Some(&names[..]));

    fs::write(&file, "airplane\nautomobile\n").expect("a file");
    assert_eq!(
        error(Cifar::Cifar10, root.path()).to_string(),
        format!(
            "{} has 2 class names; expected 10, one per line",
            file.display()
        )
    );
}

#[test]
fn a_missing_folder_is_named() {
    let (root, _) = cifar100();
    let path = root.path().join("nowhere");
    assert_eq!(
        error(Cifar::Cifar100, &path).to_string(),
        format!(
            "data folder {} does not exist or is not a directory",
            path.display()
        )
    );
}

#[test]
fn missing_files_are_listed() {
    let (root, folder) = cifar100();
    fs::remove_file(folder.join("test.bin")).expect("the file");
    assert_eq!(
        error(Cifar::Cifar100, root.path()).to_string(),
        format!(
            "CIFAR-100: directory {} lacks test.bin; expected the official files (binary or Python version) \
             in it or in its subdirectory cifar-100-binary",
            folder.display()
        )
    );
    // Files of the other data set do not count.
    match error(Cifar::Cifar10, root.path()) {
        DataError::MissingFiles { files, folder, .. } => {
            assert_eq!(files.len(), 6);
            assert_eq!(folder, root.path());
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_empty_file_is_refused() {
    let (root, folder) = cifar100();
    let path = folder.join("train.bin");
    fs::write(&path, []).expect("a file");
    assert_eq!(
        error(Cifar::Cifar100, root.path()).to_string(),
        format!(
            "{} is empty; expected records of 3074 bytes",
            path.display()
        )
    );
}

#[test]
fn a_truncated_file_is_refused_with_its_size() {
    let (root, folder) = cifar100();
    let path = folder.join("test.bin");
    fs::write(&path, vec![0; 3074 * 7 + 1000]).expect("a file");
    assert_eq!(
        error(Cifar::Cifar100, root.path()).to_string(),
        format!(
            "{} has 22518 bytes, which is not a multiple of the record size of 3074 bytes: \
             7 whole records and 1000 extra bytes; is the file truncated?",
            path.display()
        )
    );
}

#[test]
fn labels_out_of_range_are_refused_with_their_record() {
    let (root, folder) = cifar100();
    let path = folder.join("train.bin");
    for (record, text) in [
        (
            [4, 200],
            "record 1 has fine label 200; expected a value below 100",
        ),
        (
            [4, 100],
            "record 1 has fine label 100; expected a value below 100",
        ),
        (
            [20, 5],
            "record 1 has coarse label 20; expected a value below 20",
        ),
    ] {
        write(&path, &[&[1, 1], &record]);
        let expected = format!("{}: {text}", path.display());
        assert_eq!(error(Cifar::Cifar100, root.path()).to_string(), expected);
    }

    let (root, folder) = cifar10("cifar-10-binary");
    let path = folder.join("data_batch_3.bin");
    write(&path, &[&[1], &[2], &[10]]);
    assert_eq!(
        error(Cifar::Cifar10, root.path()).to_string(),
        format!(
            "{}: record 2 has label 10; expected a value below 10",
            path.display()
        )
    );
}

/// The folder of real data sets, if there is one; otherwise says loudly that a test is skipped.
#[allow(clippy::print_stderr)]
fn real_data(test: &str) -> Option<PathBuf> {
    let root = std::env::var_os("KD_DATA").map(PathBuf::from);
    if root.is_none() {
        eprintln!("SKIPPED: {test}: set KD_DATA to the folder of CIFAR-100 to run it");
    }
    root
}

#[test]
fn the_real_cifar100_has_500_and_100_images_a_class() {
    let Some(root) = real_data("the_real_cifar100_has_500_and_100_images_a_class") else {
        return;
    };
    let splits = Cifar::Cifar100
        .read(root, Limits::default())
        .expect("the real files");
    let (train, test) = labels(&splits);
    for (labels, each) in [(train, 500), (test, 100)] {
        let mut counts = [0; 100];
        labels.iter().for_each(|&label| counts[label] += 1);
        assert_eq!(counts, [each; 100]);
    }
    // The customary statistics are those of the training images.
    let (set, stats) = (&splits.train, splits.train.normalization());
    for c in 0..3 {
        let plane = |i| set.image(i).expect("bytes")[c * 1024..(c + 1) * 1024].to_vec();
        let planes = (0..set.len()).flat_map(plane);
        let (sum, squares) = planes.fold((0_u64, 0_u64), |(s, q), b| {
            (s + u64::from(b), q + u64::from(b) * u64::from(b))
        });
        let pixels = set.len() as f64 * 1024.0;
        let mean = sum as f64 / pixels / 255.0;
        let std = (squares as f64 / pixels / 255.0 / 255.0 - mean * mean).sqrt();
        assert!((mean - f64::from(stats.mean[c])).abs() < 1e-3, "{mean}");
        assert!((std - f64::from(stats.std[c])).abs() < 1e-3, "{std}");
    }
}
