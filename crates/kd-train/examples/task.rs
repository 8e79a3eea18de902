//! The training step in a loop of one's own: three terms, one epoch.
#![allow(clippy::print_stdout)]

use std::error::Error;

use burn::tensor::Device;
use kd_data::{Loader, LoaderConfig, ProceduralConfig};
use kd_losses::Method;
use kd_models::Architecture;
use kd_train::{DataInfo, FrozenTeacher, TaskConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    let data = ProceduralConfig {
        classes: 4,
        train: 128,
        test: 32,
        ..ProceduralConfig::default()
    };
    let images = data.generate()?;
    let train = Loader::new(images.train, LoaderConfig::train(32, 0))?;
    let test = Loader::new(images.test, LoaderConfig::evaluate(32))?;

    // The teacher has learned nothing: what is shown here is the loop.
    let teacher = Architecture::by_name("resnet14")?.init(4, &device);
    let student = Architecture::by_name("resnet8")?.init(4, &device);
    let mut task = TaskConfig::<Method>::new()
        .with_term(Method::by_name("ce")?, 1.0)
        .with_term(Method::by_name("kd")?, 0.9)
        .with_term(Method::by_name("at")?, 1000.0)
        .init(
            student,
            Some(FrozenTeacher::new("resnet14", &teacher)),
            &DataInfo::of(&train),
            &device,
        )?;
    for batch in train.epoch(0, &device) {
        let output;
        (task, output) = task.step(&batch);
        for (name, loss) in &output.losses.terms {
            print!("{name} {:.4}  ", loss.clone().into_scalar::<f32>());
        }
        println!();
    }
    let metrics = task.evaluate(&test, &device)?;
    println!("test: top-1 {:.1} %", metrics.top1);
    Ok(())
}
