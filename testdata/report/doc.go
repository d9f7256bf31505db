// Command report runs the tests of every package, those below testdata too, and says at the end what passed, failed and
// was skipped, and why.
//
//	go run ./testdata/report [-tags TAGS] [-machine FOLDER,…] [-run NAMES] [-v]
//
// Packages run side by side, but those in the folders of -machine one after the other, and after the others: they start
// guests and make namespaces, and a busy machine makes those slow. They run as root, through sudo where the caller is not.
// What a package prints is shown when it fails; -v shows all.
// The last line is `N passed, N failed`. The exit code is 0 if nothing failed and something passed, else 1.
//
// A test counts if it has no subtests, or if it fails or is skipped by itself.
package main
