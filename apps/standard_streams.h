#pragma once

namespace tapestry::apps {

/// Opens /dev/null in the place of standard input, output and error where the caller has closed them: else the next file that is
/// opened would get their number, and what is printed would be written into it. To be called first in main.
void open_standard_streams();

/// From now on what is written into a pipe that nobody reads any more fails, where it used to end the process: progress that is
/// lost must not cost the job, and printed_everything() says what else is.
void outlive_closed_pipes();

/// Whether all that was printed on standard output has been written; says why not on standard error.
bool printed_everything(const char* program);

}  // namespace tapestry::apps
