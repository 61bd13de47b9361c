/// \file The results as JSON and as a table.
#pragma once

#include <iosfwd>

#include "trial.h"

namespace extraction {

/// One document: `attacks`, the results, and `without`, the attributes that were left out.
void writeJson(std::ostream& stream, const Arguments& arguments, const std::vector<Row>& rows);

/// The names of all attacks and of all attributes that can be left out.
void writeLists(std::ostream& stream);

/// A line for each result.
void writeTable(std::ostream& stream, const std::vector<Row>& rows);

}  // namespace extraction
