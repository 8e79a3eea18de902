//! A teacher and a distilled student on CIFAR-100, through the library.
//!
//! ```text
//! cargo run --bin distill_cifar100 -- FOLDER [EPOCHS [IMAGES]]
//! ```
//!
//! `FOLDER` holds `cifar-100-binary`. Without it the same is shown on a hundred classes of the
//! procedural set, in small. Results go to `runs/distill_cifar100`; a second call continues.
// A program that prints is what an example is.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;

use kd::data::ProceduralConfig;
use kd::losses::Method;
use kd::train::{DataSource, EpochMetrics, Observer, Recipe, RunOptions, RunResult, run};

struct Lines;

impl Observer for Lines {
    fn epoch(&mut self, metrics: &EpochMetrics) {
        println!(
            "epoch {:3}: loss {:.3}, test top-1 {:.2} %",
            metrics.epoch, metrics.train.loss, metrics.test.top1
        );
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next();
    let number = |text: Option<String>| text.map(|text| text.parse::<usize>()).transpose();
    let epochs = number(arguments.next())?;
    let images = number(arguments.next())?;

    let recipe = |network: &str| -> Result<Recipe, Box<dyn Error>> {
        let mut recipe = Recipe::new(network.parse()?);
        if let Some(root) = &root {
            recipe.data.name = DataSource::Cifar100;
            recipe.data.root = Some(root.into());
            recipe.data.limit_train = images;
            recipe.train.epochs = Some(epochs.unwrap_or(30));
        } else {
            recipe.data.procedural = Some(ProceduralConfig {
                classes: 100,
                train: images.unwrap_or(256),
                test: 100,
                ..ProceduralConfig::default()
            });
            recipe.train.epochs = Some(epochs.unwrap_or(1));
        }
        Ok(recipe)
    };
    if root.is_none() {
        println!("no folder given: a hundred classes of the procedural set instead");
    }

    let folder = Path::new("runs/distill_cifar100");
    let train = |name: &str, recipe: Recipe| -> Result<RunResult, Box<dyn Error>> {
        println!("{name}");
        let options = RunOptions::resuming(folder.join(name));
        Ok(run(&recipe.resolved()?, &options, &mut Lines)?)
    };

    let teacher = train("teacher", recipe("resnet20")?)?;
    let weights = folder.join("teacher/student.safetensors");
    let student = recipe("resnet8")?.with_method(Method::by_name("kd")?, weights);
    let student = train("student", student)?;
    println!(
        "teacher {:.2} %, student {:.2} %",
        teacher.last_top1, student.last_top1
    );
    Ok(())
}
