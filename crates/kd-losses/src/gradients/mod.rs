//! Methods that differentiate the networks with respect to their inputs or maps.
