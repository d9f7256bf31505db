package trust

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// fileHead is the first line of the file: purpose and version.
const fileHead = "decenter trust 1"

// maxFile bounds what is read: more cannot have been written.
const maxFile = int64(len(fileHead)) + 1 + api.MaxStatements*(statement.MaxLine+keys.MaxSignature+2)

// appendFile appends the file's bytes.
func appendFile(b []byte, all []statement.Signed) []byte {
	b = append(b, fileHead+"\n"...)
	for _, s := range all {
		b = append(b, s.Text()...)
		b = append(b, '\n')
	}
	return b
}

// parseFile reads the file's form alone. What is damaged is left out and told: after it, the next line that begins as a
// statement does begins one.
func parseFile(text string) (all []statement.Signed, damaged []error, err error) {
	rest, found := strings.CutPrefix(text, fileHead+"\n")
	if !found {
		return nil, nil, fmt.Errorf("it does not begin with %q", fileHead)
	}
	lines := strings.Split(rest, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	} else {
		damaged = append(damaged, errors.New("its last line has no end"))
	}
	for i := 0; i < len(lines); {
		if i+1 == len(lines) {
			damaged = append(damaged, fmt.Errorf("line %d: nothing follows it", i+2))
			break
		}
		if strings.HasPrefix(lines[i+1], "decenter ") {
			damaged = append(damaged, fmt.Errorf("line %d: its signature is missing", i+2))
			i++
			continue
		}
		s, err := statement.ParseText(lines[i] + "\n" + lines[i+1])
		if err != nil {
			damaged = append(damaged, fmt.Errorf("line %d: %w", i+2, err))
			i++
			continue
		}
		all, i = append(all, s), i+2
	}
	return all, damaged, nil
}

// load reads the file into a set, and verifies every statement in it. A missing file is an empty set.
func load(path string, c charter) (s *set, damaged []error, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return newSet(), nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, err
	}
	if int64(len(text)) > maxFile {
		return nil, nil, fmt.Errorf("%s has more than %d bytes: this is not a file of ours", path, maxFile)
	}
	all, damaged, err := parseFile(string(text))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	s = newSet()
	for _, signed := range all {
		st, err := signed.Verify(c.network)
		if err != nil {
			damaged = append(damaged, fmt.Errorf("%q: %w", signed.Line, err))
			continue
		}
		if e := (entry{st, signed}); s.news(e) && len(s.entries) < api.MaxStatements {
			s.put(e)
		}
	}
	if len(damaged) > 0 {
		if err := writeWhole(path+".damaged", text); err != nil {
			return nil, nil, err
		}
	}
	return s, damaged, nil
}

// save writes the set so that the file is the old or the new one whenever power goes.
func save(path string, s *set) error {
	all := make([]statement.Signed, 0, len(s.entries))
	for _, e := range s.entries {
		all = append(all, e.signed)
	}
	slices.SortFunc(all, func(a, b statement.Signed) int { return strings.Compare(a.Line, b.Line) })
	return writeWhole(path, appendFile(nil, all))
}

// writeWhole replaces a file: a new one beside it, on the disk before it takes the name.
func writeWhole(path string, content []byte) error {
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
