//! Weights of networks.

use std::io::{Cursor, Write};

use burn::tensor::Device;
use kd_models::Architecture;
use kd_models::weights::WeightsFile;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{check, check_named, scratch};
use crate::Tiny;

/// All networks are built to tell which of them a file holds: that is done for one file in so many.
const IDENTIFIED: usize = 64;

/// A PyTorch checkpoint in any container.
pub(super) fn pytorch(bytes: &[u8]) {
    open("weights.pth", bytes);
}

/// A pickle in a sound zip archive, beside storages of 4, 64 and 256 numbers: the checksums of an
/// archive would keep a fuzzer out of it.
pub(super) fn pickle(bytes: &[u8]) {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let storages = [4, 64, 256].map(|length| vec![0; 4 * length]);
    let files: [(&str, &[u8]); 5] = [
        ("archive/data.pkl", bytes),
        ("archive/version", b"3\n"),
        ("archive/data/0", &storages[0]),
        ("archive/data/1", &storages[1]),
        ("archive/data/2", &storages[2]),
    ];
    for (name, content) in files {
        archive
            .start_file(name, SimpleFileOptions::default())
            .expect("an entry");
        archive.write_all(content).expect("its content");
    }
    let archive = archive.finish().expect("an archive").into_inner();
    open("weights.pth", &archive);
}

pub(super) fn safetensors(bytes: &[u8]) {
    open("weights.safetensors", bytes);
}

fn open(name: &str, bytes: &[u8]) {
    let path = scratch::folder("weights").join(name);
    scratch::write(&path, bytes);
    let file = match WeightsFile::open(&path) {
        Ok(file) => file,
        Err(error) => return check_named(&error, &path),
    };
    let device = Device::default();
    if let Err(error) = file.clone().into_module(Tiny::new(2, &device)) {
        check_named(&error, &path);
    }
    if bytes.len().is_multiple_of(IDENTIFIED) {
        if let Err(error) = file.identify() {
            check_named(&error, &path);
        }
        let named = Architecture::by_name("resnet8").expect("a network");
        if let Err(error) = file.into_network(Some(named), Some(10), &device) {
            check(&error);
        }
    }
}
