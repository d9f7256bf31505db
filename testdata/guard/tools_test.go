package guard_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tags are the build tags of the binary.
const tags = "libvirt_dlopen"

// in runs a program in a folder and gives what it said, both streams, and whether it ended well.
func in(t *testing.T, folder, name string, args ...string) (string, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = folder
	out, err := c.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), ctx.Err())
	}
	return strings.TrimSpace(string(out)), err == nil
}

// packages gives the arguments that name every package of the module: "./..." leaves testdata out.
func packages(t *testing.T) []string {
	t.Helper()
	list := []string{"./..."}
	seen := map[string]bool{}
	for _, f := range house(t) {
		if within(f.folder, "testdata") && !seen[f.folder] {
			seen[f.folder] = true
			list = append(list, "./"+f.folder)
		}
	}
	return list
}

// tool gives the path of a tool of go.mod, so that it can run in a folder outside of the module.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, ok := in(t, root, "go", "tool", "-n", name)
	if !ok {
		t.Fatal(path)
	}
	return path[strings.LastIndex(path, "\n")+1:]
}

// badModule is a module of its own with one fault that only the named checker sees.
func badModule(t *testing.T, body string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module bad\n\ngo 1.26\n", "bad.go": "// Package bad is an example.\npackage bad\n\n" + body} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestVet(t *testing.T) {
	if said, ok := in(t, root, "go", append([]string{"vet", "-tags", tags}, packages(t)...)...); !ok {
		t.Error(said)
	}
	bad := badModule(t, "import \"fmt\"\n\n// F says a number wrongly.\nfunc F() { fmt.Printf(\"%d\\n\", \"five\") }\n")
	if said, ok := in(t, bad, "go", "vet", "./..."); ok || !strings.Contains(said, "%d") {
		t.Errorf("go vet does not see a wrong format: %s", said)
	}
}

func TestStaticcheck(t *testing.T) {
	program := tool(t, "staticcheck")
	if said, ok := in(t, root, program, append([]string{"-tags", tags}, packages(t)...)...); !ok {
		t.Error(said)
	}
	bad := badModule(t, "func nobodyCallsMe() {}\n")
	if said, ok := in(t, bad, program, "./..."); ok || !strings.Contains(said, "nobodyCallsMe is unused") {
		t.Errorf("staticcheck does not see an unused function: %s", said)
	}
}

func TestModulesAreAsRecorded(t *testing.T) {
	if said, ok := in(t, root, "go", "mod", "verify"); !ok {
		t.Error(said)
	}
	if said, ok := in(t, root, "go", "mod", "tidy", "-diff"); !ok {
		t.Errorf("go mod tidy would change go.mod or go.sum:\n%s", said)
	}

	// A module that is required and not needed.
	bad := badModule(t, "")
	other := badModule(t, "")
	text := "module example\n\ngo 1.26\n\nrequire bad v0.0.0\n\nreplace bad => " + other + "\n"
	if err := os.WriteFile(filepath.Join(bad, "go.mod"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, ok := in(t, bad, "go", "mod", "tidy", "-diff"); ok || !strings.Contains(said, "-require bad v0.0.0") {
		t.Errorf("go mod tidy does not see a module that nobody needs: %s", said)
	}
}

// Known vulnerabilities, where the database can be had.
func TestKnownVulnerabilities(t *testing.T) {
	said, ok := in(t, root, tool(t, "govulncheck"), "-tags", tags, "./...")
	switch {
	case ok:
	case strings.Contains(said, "fetching vulnerabilities"):
		t.Skip("the database of vulnerabilities cannot be reached from here; nothing was checked")
	default:
		t.Error(said)
	}
}

// What is generated is what is committed: a copy of the tree is generated anew and compared.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	folder := copyTree(t)
	said, ok := in(t, folder, "go", "generate", "-tags", tags, "./...")
	if !ok {
		t.Fatal(said)
	}
	for _, d := range differences(t, folder) {
		t.Errorf("%s: `go tool task generate` would change it", d)
	}

	// A generated file that was edited by hand is noticed.
	const reference = "shell/grammar/REFERENCE.md"
	if err := os.WriteFile(filepath.Join(folder, reference), []byte("edited"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d := differences(t, folder); len(d) != 1 || d[0] != reference {
		t.Errorf("an edited %s gives %v", reference, d)
	}
	if said, ok := in(t, folder, "go", "generate", "./shell/grammar"); !ok {
		t.Fatal(said)
	}
	if d := differences(t, folder); len(d) != 0 {
		t.Errorf("go generate does not mend %v", d)
	}
}

// The eBPF object has the bytes that its source gives.
func TestDataPathIsCurrent(t *testing.T) {
	const folder = "net/datapath/bpf"
	fresh := copyTree(t)
	objects := func(of string) map[string][]byte {
		found, err := filepath.Glob(filepath.Join(of, "*.o"))
		if err != nil {
			t.Fatal(err)
		}
		m := map[string][]byte{}
		for _, p := range found {
			if m[filepath.Base(p)], err = os.ReadFile(p); err != nil {
				t.Fatal(err)
			}
		}
		return m
	}
	rebuild := func() map[string][]byte {
		out := t.TempDir()
		if said, ok := in(t, filepath.Join(fresh, folder), "sh", "build.sh", out); !ok {
			t.Fatal(said)
		}
		return objects(out)
	}
	committed, built := objects(filepath.Join(root, folder)), rebuild()
	if len(committed) == 0 || len(committed) != len(built) {
		t.Fatalf("%d objects committed, %d built", len(committed), len(built))
	}
	for name, text := range built {
		if !bytes.Equal(text, committed[name]) {
			t.Errorf("%s/%s: its source gives other bytes: `go tool task generate`", folder, name)
		}
	}

	// A source with one more program in it gives other bytes.
	sources, err := filepath.Glob(filepath.Join(fresh, folder, "*.c"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	for _, s := range sources {
		f, err := os.OpenFile(s, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("\n__attribute__((section(\"tc\"), used)) int guard_example(void *ctx) { return ctx != 0; }\n"); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	for name, text := range rebuild() {
		if bytes.Equal(text, committed[name]) {
			t.Errorf("%s: a changed source gives the same bytes", name)
		}
	}
}

// copyTree copies the module's files, without hidden folders and what was built.
func copyTree(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	each(t, func(name string, text []byte, mode fs.FileMode) {
		p := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, text, mode); err != nil {
			t.Fatal(err)
		}
	})
	return to
}

// differences names the files that are other in a copy than here.
func differences(t *testing.T, copied string) (names []string) {
	t.Helper()
	each(t, func(name string, text []byte, _ fs.FileMode) {
		if other, err := os.ReadFile(filepath.Join(copied, name)); err != nil || !bytes.Equal(other, text) {
			names = append(names, name)
		}
	})
	return names
}

// each calls do with every file of the module.
func each(t *testing.T, do func(name string, text []byte, mode fs.FileMode)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			return err
		}
		do(p, text, info.Mode().Perm()|0o600)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
