// Command reference writes REFERENCE.md beside the grammar's table; go generate runs it in that folder.
package main

import (
	"fmt"
	"os"

	"decenter/shell/grammar"
)

func main() {
	if err := os.WriteFile("REFERENCE.md", []byte(grammar.Reference()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
