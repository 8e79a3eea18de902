//! The listings in Rust of the book and of READMEs: `cargo test --doc` compiles them and runs them.
//!
//! A test of the command looks for each page that has some in this list.

/// Makes the listings of pages tests.
macro_rules! pages {
    ($($name:ident: $path:literal;)+) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!($path)]
            struct $name;
        )+
    };
}

pages! {
    Readme: "../../README.md";
    FirstHour: "src/first-hour.md";
    Core: "src/crates/kd-core.md";
    Data: "src/crates/kd-data.md";
    Kernels: "src/crates/kd-kernels.md";
    LossesPage: "src/crates/kd-losses.md";
    Models: "src/crates/kd-models.md";
    Nn: "src/crates/kd-nn.md";
    Recipes: "src/crates/kd-recipes.md";
    Report: "src/crates/kd-report.md";
    Spot: "src/crates/kd-spot.md";
    Train: "src/crates/kd-train.md";
    Extending: "src/extending.md";
    Deploying: "src/deploying.md";
    ReadmeOfKd: "../../crates/kd/README.md";
    ReadmeOfModels: "../../crates/kd-models/README.md";
    ReadmeOfTrain: "../../crates/kd-train/README.md";
}
