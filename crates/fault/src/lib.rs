//! Named points at which a test makes a debug build of plura fail or die.
