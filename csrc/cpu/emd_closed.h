// Problems whose optimum can be written down, and which an auction finds hard because nearly all is tied.
#pragma once

#include "cpu/emd_problem.h"

namespace pcgen::emd {

// Solves the problem where one of the clouds lies in a single place, or both lie on one line; otherwise returns false
// and leaves it as it was.
bool solve_closed(Problem& problem);

}  // namespace pcgen::emd
