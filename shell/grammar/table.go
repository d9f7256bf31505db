package grammar

import (
	"slices"

	"decenter/engine/api"
)

// Verb is one row of the table.
type Verb struct {
	Name     string    `json:"name"`              // empty: a search
	Aliases  []string  `json:"aliases,omitempty"` // other names, meaning the same
	Summary  string    `json:"summary"`           // what it does, in a line
	Detail   string    `json:"detail,omitempty"`  // what more there is to know: sentences
	Params   []Param   `json:"words,omitempty"`   // its words, in order; optional ones last
	Keys     []Key     `json:"keys,omitempty"`
	Examples []Example `json:"examples"`

	// Act is set for verbs that Control a VM.
	Act api.Act `json:"-"`
	// Sign is set for verbs whose statement an account must sign.
	Sign api.StatementKind `json:"-"`
	// Work is set where a job does it.
	Work bool `json:"work,omitempty"`
	// View is set where the console opens a view for it.
	View bool `json:"-"`
	// Offline is set where no engine is needed.
	Offline bool `json:"-"`
	// Interactive is set where it has a meaning only for someone who types line after line.
	Interactive bool `json:"interactive,omitempty"`
}

// Param is one word of a verb.
type Param struct {
	Name     string `json:"name"` // as help shows it: NAME
	Type     Type   `json:"type"`
	Optional bool   `json:"optional,omitempty"`
	Many     bool   `json:"many,omitempty"`   // it may be repeated; the last word alone
	Joined   bool   `json:"joined,omitempty"` // it is needed where the word before it is given
	Kind     string `json:"-"`                // of the names that fit, for completion
}

// Key is what comes before a colon.
type Key struct {
	Name     string `json:"name"`
	Type     Type   `json:"type"`
	Meaning  string `json:"meaning"`
	Required bool   `json:"required,omitempty"`
	Filter   bool   `json:"filter,omitempty"` // takes -, several values and being given twice
	Kind     string `json:"-"`                // of the names that fit, for completion
	Min      uint64 `json:"min,omitempty"`    // of numbers and sizes
	Max      uint64 `json:"max,omitempty"`    // 0: no limit
}

// Flag is a word with two hyphens that any place of the line may hold.
type Flag struct {
	Name    string `json:"name"`
	Meaning string `json:"meaning"`
}

// Example is a line that parses, and what it does.
type Example struct {
	Line    string `json:"line"`
	Meaning string `json:"meaning"`
}

// Search is the name by which help knows the verb without a name.
const Search = "search"

// The flags.
const (
	FlagJSON   = "json"
	FlagDetach = "detach"
	FlagHelp   = "help"
)

// Keys of verbs; those of searches are in engine/api.
const (
	KeyDisk    = "disk"
	KeyStopped = "stopped"
	KeyForce   = "force"
	KeyConfirm = "confirm"
	KeyDetach  = "detach"
	KeyIdle    = "idle"
	KeyAs      = "as"
	KeyOn      = "on"
	KeyVerify  = "verify"
)

// Flags gives every flag.
func Flags() []Flag {
	return []Flag{
		{FlagJSON, "print one JSON object per line, with the field names of the api"},
		{FlagDetach, "the same as detach:yes"},
		{FlagHelp, "tell about the verb and do nothing"},
	}
}

var (
	vmParam   = Param{Name: "NAME", Type: TypeName, Kind: string(api.KindVM)}
	jobParam  = Param{Name: "JOB", Type: TypeJob, Kind: string(api.KindJob)}
	detachKey = Key{Name: KeyDetach, Type: TypeYesNo, Meaning: "do not wait for the job: print its id and end with exit code 8"}
)

// verbs is the table, in the order of help. It is never changed.
var verbs = []Verb{
	{
		Summary: "find VMs, spacesuits, satellites and jobs on all satellites, right now",
		Detail: "Every word must be part of a name, id, kind or address; the words vm, spacesuit, satellite and job limit the kind. " +
			"Every key must hold. Text is compared without regard to case, and * stands for any run of characters. " +
			"A comma between values means either, a hyphen before the key means not, and numbers and sizes take < <= > >=. " +
			"A satellite that does not answer within two seconds is named, and the rest is shown.",
		Keys: []Key{
			{Name: api.KeyName, Type: TypePattern, Meaning: "its name", Filter: true, Kind: "*"},
			{Name: api.KeyState, Type: TypeState, Meaning: "its state", Filter: true},
			{Name: api.KeySatellite, Type: TypePattern, Meaning: "the satellite that holds it", Filter: true, Kind: string(api.KindSatellite)},
			{Name: api.KeyFrom, Type: TypePattern, Meaning: "the spacesuit it was made from", Filter: true, Kind: string(api.KindSpacesuit)},
			{Name: api.KeyCPU, Type: TypeCount, Meaning: "virtual processors", Filter: true},
			{Name: api.KeyMemory, Type: TypeSize, Meaning: "memory", Filter: true},
			{Name: api.KeyAddress, Type: TypeAddress, Meaning: "an IP address of it", Filter: true},
			{Name: api.KeyMAC, Type: TypeMAC, Meaning: "a MAC address of it", Filter: true},
			{Name: api.KeyOwner, Type: TypeText, Meaning: "the account that owns it", Filter: true},
			{Name: api.KeyID, Type: TypeText, Meaning: "its id", Filter: true},
		},
		Examples: []Example{
			{"web", "find everything named like web"},
			{"vm state:running satellite:s1,s2", "running VMs on s1 or s2"},
			{"vm memory:>=2GiB -from:tiny", "large VMs not made from tiny"},
			{`"create"`, "find what is named create"},
		},
	},
	{
		Name: "create", Summary: "make a VM from a spacesuit and start it", Work: true,
		Detail: "The name is a DNS label. Without satellite: the asked satellite makes it, or one that has the spacesuit.",
		Params: []Param{{Name: "NAME", Type: TypeName}},
		Keys: []Key{
			{Name: api.KeyFrom, Type: TypeName, Meaning: "the spacesuit", Required: true, Kind: string(api.KindSpacesuit)},
			{Name: api.KeyCPU, Type: TypeCount, Meaning: "virtual processors; one if not given", Min: 1, Max: api.MaxCPU},
			{Name: api.KeyMemory, Type: TypeSize, Meaning: "memory; 192MiB if not given", Min: api.MinMemory, Max: api.MaxMemory},
			{Name: KeyDisk, Type: TypeSize, Meaning: "size of the disk; the spacesuit's if not given", Min: 1 << 20},
			{Name: api.KeySatellite, Type: TypeName, Meaning: "where", Kind: string(api.KindSatellite)},
			{Name: KeyStopped, Type: TypeYesNo, Meaning: "leave it stopped"},
			detachKey,
		},
		Examples: []Example{
			{"create web-1 from:tiny", "on the satellite that is asked"},
			{"create web-1 from:tiny cpu:2 memory:2GiB satellite:s2", "larger, on s2"},
			{"create web-1 from:tiny stopped:yes", "without starting it"},
		},
	},
	control(api.ActStart, "start a VM that is stopped or crashed", ""),
	stop(),
	control(api.ActPause, "hold a running VM; its memory stays", ""),
	control(api.ActResume, "let a paused VM go on", ""),
	control(api.ActReset, "restart a VM at once, as by its reset button", "The guest is not asked; what it had not written to its disk is lost."),
	{
		Name: "delete", Summary: "remove a VM and its disks, for good", Work: true,
		Detail: "On a terminal you are asked to type the VM's name; a script gives it with confirm.",
		Params: []Param{vmParam},
		Keys: []Key{
			{Name: KeyConfirm, Type: TypeName, Meaning: "the VM's name once more", Kind: string(api.KindVM)},
			detachKey,
		},
		Examples: []Example{{"delete web-1", "after asking"}, {"delete web-1 confirm:web-1", "without asking"}},
	},
	{
		Name: "console", Summary: "open a VM's serial console", View: true,
		Detail: "Leave it with Ctrl-] and then q or a full stop; Ctrl-] twice sends one to the guest. The guest goes on. " +
			"Where the input is no terminal, it is sent to the guest, and the console ends once the input is over and the guest " +
			"has been quiet for the time of idle.",
		Params: []Param{vmParam},
		Keys: []Key{{Name: KeyIdle, Type: TypeDuration, Min: 1, Max: 3_600_000,
			Meaning: "without a terminal: how long the guest must be quiet after the input's end; 1s if not given"}},
		Examples: []Example{
			{"console web-1", ""},
			{"console web-1 idle:5s", "in a script, waiting longer for the guest"},
		},
	},
	{Name: "jobs", Summary: "list the jobs of all satellites, newest first", View: true, Examples: []Example{{"jobs", ""}}},
	{
		Name: "watch", Summary: "follow a job until it ends", View: true,
		Detail:   "It does not matter which satellite started the job. Four digits of its id are enough where they are its alone.",
		Params:   []Param{jobParam},
		Examples: []Example{{"watch 3f9a", ""}},
	},
	{
		Name: "cancel", Summary: "ask a job to stop and to undo what it did",
		Params: []Param{jobParam}, Examples: []Example{{"cancel 3f9a", ""}},
	},
	{Name: "satellites", Summary: "list the satellites, also those that do not answer", View: true, Examples: []Example{{"satellites", ""}}},
	{
		Name: "tree", Summary: "show the satellite tree, or set which satellite becomes its root", View: true,
		Detail: "The satellite with the lowest priority becomes root; of equal ones that with the lower id. A priority that is set goes before " +
			"the satellite's configuration, also after a restart, until it is set to default. It takes the role operator on all.",
		Params: []Param{
			{Name: SettingPriority, Type: TypeSetting, Optional: true},
			{Name: "SATELLITE", Type: TypeSatellite, Optional: true, Joined: true, Kind: string(api.KindSatellite)},
			{Name: "PRIORITY", Type: TypePriority, Optional: true},
		},
		Examples: []Example{
			{"tree", "as the asked satellite knows it"},
			{"tree priority s4 50", "s4 becomes root, unless another is below 50"},
			{"tree priority s4", "tell it"},
			{"tree priority s4 default", "what its configuration says again"},
		},
	},
	trust, admit, eject, grant, revoke, declare, audit, whoami,
	{
		Name: "help", Summary: "tell what can be asked", View: true, Offline: true,
		Params:   []Param{{Name: "VERB", Type: TypeVerb, Optional: true}},
		Examples: []Example{{"help", "every verb in a line"}, {"help create", "all about one"}, {"help search", "all about finding"}},
	},
	{
		Name: "quit", Aliases: []string{"exit"}, Summary: "leave the console", View: true, Offline: true, Interactive: true,
		Examples: []Example{{"quit", ""}},
	},
}

// control makes the row of a verb that changes a VM's state.
func control(act api.Act, summary, detail string) Verb {
	return Verb{Name: string(act), Act: act, Summary: summary, Detail: detail, Work: true, Params: []Param{vmParam}, Keys: []Key{detachKey},
		Examples: []Example{{string(act) + " web-1", ""}}}
}

func stop() Verb {
	v := control(api.ActStop, "ask a VM's guest to power off", "A guest that does not do so in time is ended.")
	v.Keys = append([]Key{{Name: KeyForce, Type: TypeYesNo, Meaning: "end it at once, without asking the guest"}}, v.Keys...)
	v.Examples = append(v.Examples, Example{"stop web-1 force:yes", "like pulling its plug"})
	return v
}

// Verbs gives the table; its first row is the search. The rows' slices are shared and must not be changed.
func Verbs() []Verb { return slices.Clone(verbs) }

// Find gives a verb by its name or an alias; Search gives the search.
func Find(name string) (*Verb, bool) {
	if name == Search {
		return &verbs[0], true
	}
	return find(name)
}

// find is Find for the first word of a line, where `search` is a word like any other.
func find(name string) (*Verb, bool) {
	for i := range verbs {
		if v := &verbs[i]; v.Name != "" && (v.Name == name || slices.Contains(v.Aliases, name)) {
			return v, true
		}
	}
	return nil, false
}

// Title is the verb's name; the search's is Search.
func (v *Verb) Title() string {
	if v.Name == "" {
		return Search
	}
	return v.Name
}

// Key gives a key of the verb by name.
func (v *Verb) Key(name string) (*Key, bool) {
	for i := range v.Keys {
		if v.Keys[i].Name == name {
			return &v.Keys[i], true
		}
	}
	return nil, false
}

// Usage is the shape of a line with the verb: `create NAME from:NAME [cpu:COUNT] …`.
func (v *Verb) Usage() string {
	s := v.Name
	if v.Name == "" {
		return "[WORD]… [[-]KEY:[OP]VALUE[,VALUE]…]…"
	}
	for i, p := range v.Params {
		name := " " + p.Name
		if p.Optional && !p.Joined {
			name = " [" + p.Name
		}
		if next := i + 1; p.Optional && (next == len(v.Params) || !v.Params[next].Joined) {
			name += "]"
		}
		if p.Many {
			name += "…"
		}
		s += name
	}
	for _, k := range v.Keys {
		switch {
		case k.Required:
			s += " " + k.Name + ":" + k.Type.Placeholder()
		case k.Filter:
			s += " [[-]" + k.Name + ":" + k.Type.Placeholder() + ",…]"
		default:
			s += " [" + k.Name + ":" + k.Type.Placeholder() + "]"
		}
	}
	return s
}
