//! Every method runs through a whole training run: preliminary phase, loop, checkpoint, result. Both
//! with all samples distilled and with those that a policy chooses.

use std::cell::Cell;

use burn::module::Module;
use kd_data::ProceduralConfig;
use kd_losses::{Method, Preliminary};
use kd_models::Architecture;
use kd_models::weights::{self, Form, WeightsInfo};
use kd_spot::Routing;
use kd_train::{Draft, EpochMetrics, Observer, PreliminaryEpoch, RunOptions, device_by_name, run};

/// Counts what it is told.
#[derive(Default)]
struct Count {
    preliminary: Cell<usize>,
    method: Cell<Option<f64>>,
    routing: Cell<Option<f64>>,
}

impl Observer for Count {
    fn preliminary(&mut self, epoch: &PreliminaryEpoch) {
        assert!(epoch.loss.is_finite());
        self.preliminary.set(epoch.epoch);
    }

    fn epoch(&mut self, metrics: &EpochMetrics) {
        self.method.set(metrics.train.method);
        self.routing.set(metrics.train.routing);
        let shares = metrics.train.distilled.iter().flatten();
        assert!(shares.into_iter().all(|share| (0.0..=1.0).contains(share)));
    }
}

#[test]
fn every_method_trains() {
    let folder = std::env::temp_dir().join(format!("kd-every-method-{}", std::process::id()));
    let device = device_by_name("flex").expect("flex is a default");
    let teacher = folder.join("teacher.safetensors");
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let architecture = Architecture::by_name("resnet14").expect("a network");
    let data = ProceduralConfig {
        classes: 4,
        train: 20,
        test: 4,
        ..ProceduralConfig::default()
    };
    let info = WeightsInfo {
        architecture,
        form: Form::Trained,
        classes: data.classes,
        input: [3, 32, 32],
        mean: Some([0.5; 3]),
        std: Some([0.25; 3]),
        data: Some("procedural".to_owned()),
        top1: None,
    };
    weights::save(
        &teacher,
        &architecture.init(data.classes, &device).valid(),
        &info,
    )
    .expect("weights are written");

    let routings = [Routing::Always, Routing::Adaptive];
    let methods = Method::all().into_iter();
    for (method, routing) in methods.flat_map(|method| routings.map(|r| (method.clone(), r))) {
        let info = method.info();
        let recipe = Draft {
            student: Some("resnet8".parse().expect("a network")),
            teacher_weights: Some(teacher.clone()),
            procedural: Some(data.clone()),
            // Also the term that only a preliminary phase minimises by default.
            weight_method: (info.name != "kd").then_some(1e-3),
            method: Some(method.clone()),
            routing: Some(routing),
            epochs: Some(1),
            // 20 images: the last batch is a short one.
            batch_size: Some(8),
            lr: Some(1e-3),
            device: Some("flex".to_owned()),
            ..Draft::default()
        }
        .finish()
        .expect("a recipe");
        let mut count = Count::default();
        let options = RunOptions::new(folder.join(info.name).join(routing.name()));
        let result = run(&recipe, &options, &mut count)
            .unwrap_or_else(|error| panic!("{}: {error}", info.name));
        assert_eq!(result.epochs, 1, "{}", info.name);
        let expected = usize::from(info.preliminary != Preliminary::None);
        assert_eq!(count.preliminary.get(), expected, "{}", info.name);
        let term = count.method.get();
        assert_eq!(term.is_some(), info.name != "kd", "{}", info.name);
        assert!(term.is_none_or(f64::is_finite), "{}: {term:?}", info.name);
        let objective = count.routing.get();
        assert_eq!(
            objective.is_some(),
            routing == Routing::Adaptive,
            "{}",
            info.name
        );
    }
    std::fs::remove_dir_all(&folder).expect("the temporary folder is ours");
}
