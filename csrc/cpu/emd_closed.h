// Problems with a closed-form optimum, which are hard for an auction because nearly all values are tied.
#pragma once

#include "cpu/emd_problem.h"

namespace pcgen::emd {

// Solves the problem if one of the clouds is a single place, or if both clouds are on one line, and the duals prove it;
// otherwise returns false.
bool solve_closed(Problem& problem);

}  // namespace pcgen::emd
