//! What TensorBoard's tab for hyperparameters lists of a run.

use super::message::{
    About, Content, DataClass, DataType, Experiment, Hyperparameter, HyperparameterData,
    HyperparameterInfo, HyperparameterType, Kind, Metadata, MetricInfo, MetricName, Plugin,
    SessionEnd, SessionStart, Shape, Status, Tensor, Value,
};
use super::scalars::{BEST, TOP1};
use crate::Recipe;

/// The main numbers of a run, by name. All runs have the same names, as the tab takes the columns from
/// whichever run it reads first; what a run does not have is left out.
#[derive(Clone, Debug)]
pub(crate) struct Hyperparameters(Vec<(&'static str, Main)>);

#[derive(Clone, Debug)]
enum Main {
    Number(Option<f64>),
    Text(Option<String>),
}

impl Hyperparameters {
    /// Of a run by a recipe, with these names of its networks.
    pub(crate) fn new(recipe: &Recipe, student: &str, teacher: Option<&str>) -> Self {
        let number = |value: Option<f64>| Main::Number(value);
        let count = |value: Option<usize>| Main::Number(value.map(|value| value as f64));
        let text = |value: &str| Main::Text(Some(value.to_owned()));
        let losses = recipe.losses.iter();
        let losses: Vec<String> = losses
            .map(|term| format!("{} {}", term.weight, term.label()))
            .collect();
        let optimizer = format!("{:?}", recipe.optimizer.name).to_lowercase();
        let routing = teacher.map(|_| recipe.routing.mode.name().to_owned());
        Self(vec![
            ("recipe", Main::Text(recipe.name.clone())),
            ("data", text(recipe.data.name.name())),
            ("student", text(student)),
            ("teacher", Main::Text(teacher.map(str::to_owned))),
            ("losses", text(&losses.join(" + "))),
            ("routing", Main::Text(routing)),
            ("optimizer", text(&optimizer)),
            ("learning rate", number(Some(recipe.optimizer.rate()))),
            ("momentum", number(recipe.optimizer.momentum)),
            ("weight decay", number(recipe.optimizer.weight_decay)),
            ("scheduler", text(recipe.scheduler.name.name())),
            ("epochs", count(recipe.train.epochs)),
            ("batch size", count(recipe.data.batch_size)),
            ("training images at most", count(recipe.data.limit_train)),
            ("ema decay", number(recipe.train.ema_decay)),
            ("seed", number(Some(recipe.train.seed as f64))),
        ])
    }

    /// What the tab shows of all runs: names and metrics.
    pub(super) fn experiment(&self, created: f64) -> Value {
        let info = |(name, value): &(&str, Main)| HyperparameterInfo {
            name: (*name).to_owned(),
            kind: match value {
                Main::Number(_) => HyperparameterType::Number.into(),
                Main::Text(_) => HyperparameterType::String.into(),
            },
        };
        let metric = |(tag, display_name): (&str, &str)| MetricInfo {
            name: Some(MetricName {
                tag: tag.to_owned(),
            }),
            display_name: display_name.to_owned(),
        };
        let metrics = [(TOP1, "last top-1"), (BEST, "best top-1")];
        let about = About::Experiment(Experiment {
            created,
            hyperparameters: self.0.iter().map(info).collect(),
            metrics: metrics.map(metric).into(),
        });
        value("_hparams_/experiment", about)
    }

    /// The numbers of a run that started at a time.
    pub(super) fn start(&self, started: f64) -> Value {
        let kind = |value: &Main| match value {
            Main::Number(number) => number.map(Kind::Number),
            Main::Text(text) => text.clone().map(Kind::Text),
        };
        let given = self.0.iter().filter_map(|(name, value)| {
            let kind = Some(kind(value)?);
            Some(((*name).to_owned(), Hyperparameter { kind }))
        });
        let about = About::Start(SessionStart {
            hyperparameters: given.collect(),
            started,
        });
        value("_hparams_/session_start_info", about)
    }
}

/// Says that a run is complete.
pub(super) fn end(ended: f64) -> Value {
    let about = About::End(SessionEnd {
        status: Status::Success.into(),
        ended,
    });
    value("_hparams_/session_end_info", about)
}

/// The plugin reads what is beside the value, which is a zero.
fn value(tag: &str, about: About) -> Value {
    let data = HyperparameterData { about: Some(about) };
    Value {
        tag: tag.to_owned(),
        metadata: Some(Metadata {
            plugin: Some(Plugin {
                name: "hparams".to_owned(),
                content: prost::Message::encode_to_vec(&data),
            }),
            description: String::new(),
            data_class: DataClass::Unknown.into(),
        }),
        content: Some(Content::Tensor(Tensor {
            data_type: DataType::Float.into(),
            shape: Some(Shape::of(&[1])),
            content: 0_f32.to_le_bytes().to_vec(),
            strings: Vec::new(),
        })),
    }
}
