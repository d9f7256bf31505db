// Package path derives from one topology everything by which a satellite forwards.
package path
