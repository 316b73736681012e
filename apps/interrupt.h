#pragma once

namespace tapestry::apps {

/// From now on the first SIGINT (Ctrl-C) or SIGTERM is remembered instead of ending the program; a second one ends it at once.
/// One that the caller ignores stays ignored, as in the background of a script.
void catch_interrupts();

/// The signal that arrived, 0 while there was none.
int interrupt_signal();

}  // namespace tapestry::apps
