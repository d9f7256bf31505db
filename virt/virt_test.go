package virt

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func good() Spec {
	return Spec{
		ID: ID{15: 1}, Name: "web-1", Owner: "local", Created: time.Unix(1, 0).UTC(), CPU: 1, Memory: 64 << 20, Accel: TCG,
		Disks: []Disk{{"vda", "/v/vda.qcow2", QCOW2}}, NICs: []NIC{{"02:00:00:00:00:01", "dc0"}},
	}
}

func TestASpecSaysWhatIsWrongWithIt(t *testing.T) {
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	for field, spoil := range map[string]func(*Spec){
		"id":              func(s *Spec) { s.ID = ID{} },
		"name":            func(s *Spec) { s.Name = "Web" },
		"owner":           func(s *Spec) { s.Owner = "" },
		"from":            func(s *Spec) { s.From = "a\nb" },
		"group":           func(s *Spec) { s.Group = strings.Repeat("g", MaxText+1) },
		"created":         func(s *Spec) { s.Created = time.Time{} },
		"cpu":             func(s *Spec) { s.CPU = 0 },
		"memory":          func(s *Spec) { s.Memory++ },
		"ram":             func(s *Spec) { s.RAM = "disk" },
		"accel":           func(s *Spec) { s.Accel = "" },
		"disks":           func(s *Spec) { s.Disks = nil },
		"disks[0].name":   func(s *Spec) { s.Disks[0].Name = "sda" },
		"disks[0].path":   func(s *Spec) { s.Disks[0].Path = "/v/../etc/shadow" },
		"disks[0].format": func(s *Spec) { s.Disks[0].Format = "" },
		"disks[1].name":   func(s *Spec) { s.Disks = append(s.Disks, Disk{"vda", "/v/vdb", Raw}) },
		"nics[0].mac":     func(s *Spec) { s.NICs[0].MAC = "01:00:5e:00:00:01" },
		"nics[0].tap":     func(s *Spec) { s.NICs[0].Tap = "a-name-too-long-x" },
	} {
		s := good()
		spoil(&s)
		var e *FieldError
		if err := s.Check(); !errors.As(err, &e) || e.Field != field || e.Hint == "" || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// The drawing in the package's documentation, as a table: every move that is not in it is refused.
func TestMovesAreThoseOfTheDrawing(t *testing.T) {
	legal := map[State]map[Verb]State{
		Absent:  {Define: Stopped},
		Stopped: {Start: Running, Undefine: Absent},
		Running: {Pause: Paused, Stop: Stopped, Kill: Stopped, Reset: Running},
		Paused:  {Resume: Running, Stop: Stopped, Kill: Stopped},
		Crashed: {Start: Running, Undefine: Absent},
	}
	for from, moves := range legal {
		for _, v := range []Verb{Define, Start, Pause, Resume, Stop, Kill, Reset, Undefine} {
			want, ok := moves[v]
			got, err := from.After(v)
			var e *MoveError
			switch {
			case ok && (err != nil || got != want):
				t.Errorf("%s, %s: %s, %v", from, v, got, err)
			case !ok && (got != from || !errors.As(err, &e) || !errors.Is(err, ErrConflict)):
				t.Errorf("%s, %s: allowed, to %s", from, v, got)
			}
		}
	}
}

func TestIDs(t *testing.T) {
	id, err := NewID(bytes.NewReader(bytes.Repeat([]byte{0xff}, 16)))
	if err != nil || id.String() != "ffffffff-ffff-4fff-bfff-ffffffffffff" {
		t.Errorf("%s, %v", id, err)
	}
	if _, err := NewID(bytes.NewReader(nil)); err == nil {
		t.Error("an id without randomness")
	}
	for _, bad := range []string{"", "web-1", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-4fff-bfff-fffffffffffg", "ffffffffffff-4fff-bfff-ffffffffffff----"} {
		if _, err := ParseID(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("6F1C0000-0000-4000-8000-000000000001")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			return
		}
		if id.String() != strings.ToLower(s) {
			t.Fatalf("%q is %s", s, id)
		}
	})
}

func TestErrorsKeepKindAndCause(t *testing.T) {
	cause := errors.New("domain is already running")
	err := error(&Error{Op: "start", Object: "web-1", Kind: ErrConflict, Err: cause})
	if !errors.Is(err, ErrConflict) || !errors.Is(err, cause) || errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err.Error() != "start web-1: not in a state for that: domain is already running" {
		t.Error(err)
	}
}
