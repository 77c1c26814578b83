// One line on what an answer took, from the table of figures (engine/answer_figures.h). It fits into 80 columns.
#pragma once

#include <string>

#include "engine/request.h"

namespace ogas::cli {

// Of a model in this process: tokens of the prompt and the answer, speed, first token, memory.
std::string describe_answer(const AnswerStats& stats);

// Of a server, as far as it says and was seen: tokens, if it counted them; times, if anything came.
std::string describe_remote_answer(const AnswerStats& stats);

}  // namespace ogas::cli
