// What was stored by others must not drive the terminal it is shown on: escape sequences, OSC 52 (which writes the
// clipboard), bells and text that runs backwards are shown, not obeyed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pawl::cli {

enum class Lines { keep, fold };  ///< fold: line breaks and tabs are shown as \n and \t, for tables

/// `text` with every control character (C0, DEL, C1), direction override and invalid byte shown as \xNN or \u{NNNN}.
std::string terminal_text(std::string_view text, Lines lines = Lines::fold);

/// JSON that stays the same JSON: the same characters become \uNNNN. Requires valid JSON.
std::string terminal_json(std::string_view json);

/// Columns that the text takes; wide characters count as two.
std::size_t display_width(std::string_view text);

/// At most `columns` columns, with "..." where something was cut.
std::string cut_to_width(std::string_view text, std::size_t columns);

/// As one word of a shell's command line.
std::string shell_word(const std::string& text);

}  // namespace pawl::cli
