//! The Rust side of the comparison with PyTorch: see `run.sh`.
//!
//! `interop write FOLDER` writes one network of each family and its logits on real images;
//! `interop read FOLDER` reads PyTorch's checkpoints and compares with its logits.
// A program that prints what it compared.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use kd_data::Cifar;
use kd_models::weights::{Form, WeightsFile, WeightsInfo, save};
use kd_models::{Architecture, Foldable, Network};
use kd_tests::max_error;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

/// One of each family, form of keys and head.
const NETWORKS: &[&str] = &[
    "resnet20",
    "resnet8x4",
    "zoo_resnet20",
    "ResNet18",
    "ResNet50",
    "resnet18-imagenet",
    "resnet50-imagenet",
    "wrn_16_2",
    "vgg8",
    "vgg13",
    "mobilenetv2_050",
    "mobilenetv2_100",
    "mobilenetv1-imagenet",
    "shufflenetv1",
    "shufflenetv2",
    "represnet20",
    "repvgg8",
    "repmobilenetv2",
    "repshufflenetv1",
];

const IMAGES: usize = 16;

const TOLERANCE: f64 = 1e-5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", folder, data] => write(Path::new(folder), Path::new(data)),
        ["read", folder] => read(Path::new(folder)),
        _ => Err("usage: interop write FOLDER DATA | interop read FOLDER".into()),
    }
}

/// Writes weights with statistics of real images, and the logits for them.
fn write(folder: &Path, data: &Path) -> Result<(), Box<dyn Error>> {
    let [written, logits] = ["written", "written-logits"].map(|name| folder.join(name));
    for folder in [
        &written,
        &logits,
        &folder.join("torch"),
        &folder.join("torch-logits"),
    ] {
        fs::create_dir_all(folder)?;
    }
    let limits = kd_data::Limits {
        train: Some(1),
        test: Some(IMAGES),
    };
    let test = Cifar::Cifar100.read(data, limits)?.test;
    let normalization = test.normalization();
    let classes = test.classes();
    let device = Device::default();
    let config = kd_data::LoaderConfig::evaluate(IMAGES);
    let images = kd_data::Loader::new(test, config)?
        .epoch(0, &device)
        .next()
        .ok_or("no images")?
        .images;

    device.seed(0);
    for name in NETWORKS {
        let architecture = Architecture::by_name(name)?;
        let trained = architecture.init(classes, &device.clone().autodiff());
        // Running statistics that are not 0 and 1.
        trained.forward(Tensor::from_inner(images.clone()));
        let trained = trained.valid();
        let mut forms = vec![(Form::Trained, trained.clone())];
        if architecture.deployable() {
            forms.push((Form::Deployed, trained.deploy()));
        }
        for (form, network) in forms {
            let info = WeightsInfo {
                architecture,
                form,
                classes,
                input: [3, 32, 32],
                mean: Some(normalization.mean),
                std: Some(normalization.std),
                data: Some("cifar100".to_owned()),
                top1: None,
            };
            let file = format!("{name}-{}.safetensors", form.name());
            save(written.join(&file), &network, &info)?;
            let values = network.forward(images.clone()).into_data();
            let view = TensorView::new(Dtype::F32, vec![IMAGES, classes], values.as_bytes())?;
            let bytes = safetensors::serialize([("logits", view)], None)?;
            fs::write(logits.join(&file), bytes)?;
        }
    }
    Ok(())
}

/// Reads checkpoints of PyTorch, by guess, and compares the logits.
fn read(folder: &Path) -> Result<(), Box<dyn Error>> {
    let device = Device::default();
    let mut failed = Vec::new();
    for name in NETWORKS {
        let path: PathBuf = folder.join(format!("torch/{name}.pth"));
        let file = WeightsFile::open(&path)?;
        let guess = file.identify()?.architecture;
        let network = file.into_network(Some(guess), None, &device)?;
        let bytes = fs::read(folder.join(format!("torch-logits/{name}-trained.safetensors")))?;
        let expected = SafeTensors::deserialize(&bytes)?;
        let tensor = |name: &str| -> Result<TensorData, Box<dyn Error>> {
            let view = expected.tensor(name)?;
            let shape = view.shape().to_vec();
            Ok(TensorData::from_bytes_vec(
                view.data().to_vec(),
                shape,
                DType::F32,
            ))
        };
        let images = Tensor::<4>::from_data(tensor("images")?, &device);
        let actual: Vec<f32> = network.forward(images).into_data().try_to_vec()?;
        let logits: Vec<f32> = tensor("logits")?.try_to_vec()?;
        let error = max_error(&actual, &logits);
        println!("{name:36} written by torch, taken here for {guess}: {error:.1e}");
        if guess.name() != *name || error > TOLERANCE {
            failed.push(*name);
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(format!("wrong: {}", failed.join(", ")).into()),
    }
}
