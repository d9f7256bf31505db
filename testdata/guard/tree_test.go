// Package guard_test keeps the house in order: who may import whom, how files look, and that what is generated is what
// is committed. Every rule is tried against an example that breaks it, so that a rule that sees nothing is seen.
package guard_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

// root is the module's folder, seen from this test.
const root = "../.."

// module is the path in go.mod.
const module = "decenter"

// file is one Go file as the rules see it.
type file struct {
	name    string // slash-separated, from the module's folder
	folder  string // of name
	test    bool   // name ends in _test.go
	made    bool   // by a generator
	pkg     string
	imports []string
	comment string // on the package clause
	text    []byte
}

// readTree reads every Go file of the module, sorted by name.
func readTree(t *testing.T, tree fs.FS) []file {
	t.Helper()
	var files []file
	err := fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go"):
			return nil
		}
		text, err := fs.ReadFile(tree, p)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), p, text, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		f := file{name: p, folder: path.Dir(p), test: strings.HasSuffix(p, "_test.go"), made: ast.IsGenerated(parsed),
			pkg: parsed.Name.Name, comment: parsed.Doc.Text(), text: text}
		for _, i := range parsed.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, name)
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files
}

// house reads this module.
func house(t *testing.T) []file {
	t.Helper()
	files := readTree(t, os.DirFS(root))
	if len(files) < 50 {
		t.Fatalf("only %d Go files found: the rules look at the wrong place", len(files))
	}
	return files
}

// example reads a tree written as a txtar archive.
func example(t *testing.T, archive string) []file {
	t.Helper()
	tree := fstest.MapFS{}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		tree[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return readTree(t, tree)
}

// within tells whether a slash-separated path is prefix or lies below it.
func within(p string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(x string) bool { return p == x || strings.HasPrefix(p, x+"/") })
}
