//! Recipes by name against every shipped and derived configuration of the six repositories
//! (`tests/fixtures/recipes`), and against the configurations as those programs read them.

mod by_name;
mod files;
mod row;
