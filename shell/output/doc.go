// Package output writes what a constellation answers: for a person as plain text in aligned columns, for a
// program as JSON Lines, one object of engine/api per line.
//
// # Text
//
// Columns are two blanks apart under a line of headings. A table that is wider than the screen has its widest
// cells cut, an ellipsis at the cut; where there is no screen (Width 0) nothing is cut, so that a pipe gets
// whole names. Colour (SGR, ECMA-48 section 8.3.117) only repeats what a word says. Control characters in
// what others named are shown as � and never reach the terminal.
//
// # Errors
//
// An error is one line, and where it has a column, the line that was typed with a caret under that column:
//
//	error: create has no key "form" (column 14)
//	  create web-1 form:tiny
//	               ^ did you mean "from:"?
package output
