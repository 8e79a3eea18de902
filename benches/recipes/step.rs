//! One step of a recipe.

use std::error::Error;
use std::time::Instant;

use burn::tensor::{Device, Distribution, Int, Tensor};
use kd_core::Network;
use kd_data::Batch;
use kd_losses::{Method, Pretrain};
use kd_recipes::recipe;
use kd_train::{DataInfo, FrozenTeacher, Recipe, device_by_name};
use nix::sys::resource::{UsageWho, getrusage};

/// Classes, side of an image in pixels, and training images of a data set.
pub fn sizes(data: &str) -> [usize; 3] {
    match data {
        "cifar10" => [10, 32, 50_000],
        "cifar100" => [100, 32, 50_000],
        "tiny-imagenet" => [200, 64, 100_000],
        _ => [1000, 224, 1_281_167],
    }
}

/// Name, seconds of a step, seconds of a step of the phase before (0 without one), peak MiB; and the
/// images of the batch, where they are not those of the recipe.
pub fn measure(name: &str, batch: Option<usize>) -> Result<String, Box<dyn Error>> {
    let named = recipe(name)?;
    let mut overlay = named.overlay();
    if named.teacher.is_some() && named.method != "DML" {
        overlay.set("teacher.weights", "drawn");
    }
    overlay.set_some("data.batch_size", batch);
    let recipe = overlay.finish()?;
    let device = device_by_name(recipe.compute.device.as_deref().unwrap_or("flex"))?;
    let [main, before] = steps(&recipe, &device, sizes(&named.data))?;
    let peak = getrusage(UsageWho::RUSAGE_SELF)?.max_rss() as f64 / 1024.0;
    let batch = batch.map_or_else(String::new, |images| format!("\t{images}"));
    Ok(format!("{name}\t{main:.3}\t{before:.3}\t{peak:.0}{batch}"))
}

fn steps(
    recipe: &Recipe,
    plain: &Device,
    [classes, side, samples]: [usize; 3],
) -> Result<[f64; 2], Box<dyn Error>> {
    let device = plain.clone().autodiff();
    let size = recipe.data.batch_size.unwrap_or(64);
    let data = DataInfo {
        input: [3, side, side],
        labels: (0..samples).map(|index| index % classes).collect(),
        batch_size: size,
    };
    plain.seed(0);
    let network = |network: Option<kd_models::Architecture>| {
        network
            .map(|network| network.init(classes, &device))
            .ok_or("no network")
    };
    let student = network(recipe.student.network)?;
    let config = recipe.task::<Method>();
    let mut task = if recipe.peers.is_empty() {
        let teacher = recipe
            .teacher
            .network
            .as_ref()
            .and_then(|one| one.first().copied());
        let teacher = teacher.map(|teacher| {
            let network = settled(teacher.init(classes, &device), side, &device);
            FrozenTeacher::new("teacher", &network)
        });
        config.init(student, teacher, &data, &device)?
    } else {
        let peers = recipe.peers.iter().map(|peer| network(peer.network));
        config.init_mutual(student, peers.collect::<Result<_, _>>()?, &data, &device)?
    };
    let images = Tensor::random(
        [size, 3, side, side],
        Distribution::Normal(0.0, 1.0),
        &device,
    );
    let labels = Tensor::<1, Int>::arange(0..size as i64, &device).remainder_scalar(classes as i64);
    let batch = Batch::new(images, labels);
    task.set_epoch(20);
    let mut before = 0.0;
    for term in 0..task.model.losses.len() {
        if task.model.losses[term].pretrain != Pretrain::None {
            let started = Instant::now();
            let (next, loss) = task.pretrain_step(term, &batch);
            task = next;
            finite(loss.ok_or("no loss")?)?;
            before = started.elapsed().as_secs_f64();
        }
    }
    let started = Instant::now();
    let (_, output) = task.step(&batch);
    finite(output.losses.total)?;
    Ok([started.elapsed().as_secs_f64(), before])
}

/// A network as drawn, with the running statistics of its own features: with those that it starts
/// with, the features of a hundred layers overflow in evaluation.
fn settled<N: Network>(network: N, side: usize, device: &Device) -> N {
    // As many pixels for large images as for small ones.
    let rounds = (30 * 64 * 64 / (side * side)).clamp(4, 30);
    for _ in 0..rounds {
        let images = Tensor::random([8, 3, side, side], Distribution::Normal(0.0, 1.0), device);
        // Backward, so that nothing of the graph stays.
        network.forward(images).sum().backward();
    }
    network
}

/// Reads a loss, which waits for the step.
fn finite(loss: Tensor<1>) -> Result<(), Box<dyn Error>> {
    let value: f32 = loss.inner().into_scalar();
    match value.is_finite() {
        true => Ok(()),
        false => Err(format!("the loss is {value}").into()),
    }
}
