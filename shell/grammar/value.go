package grammar

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"decenter/engine/api"
)

// Type says which values a key or a word takes.
type Type string

// The types.
const (
	TypeName     Type = "name"     // of a VM, spacesuit or satellite, or an id: a DNS label
	TypePattern  Type = "pattern"  // a name, or one with *
	TypeText     Type = "text"     // anything
	TypeState    Type = "state"    // of States
	TypeCount    Type = "count"    // decimal digits
	TypeSize     Type = "size"     // ParseSize
	TypeYesNo    Type = "yes-no"   // yes or no
	TypeAddress  Type = "address"  // IPv4 or IPv6, or one with *
	TypeMAC      Type = "mac"      // aa:bb:cc:dd:ee:ff, or one with *
	TypeDuration Type = "duration" // 500ms, 5s, 2m
	TypeJob      Type = "job"      // four to eight hex digits
	TypeVerb     Type = "verb"     // of the table
	TypeSetting  Type = "setting"  // of the tree: SettingPriority
	TypePriority Type = "priority" // 0 to api.MaxPriority, or PriorityDefault
)

// The words of the types setting and priority.
const (
	SettingPriority = "priority"
	PriorityDefault = "default"
)

// Placeholder is the type as usage lines show it.
func (t Type) Placeholder() string {
	if t == TypeYesNo {
		return "yes"
	}
	return strings.ToUpper(string(t))
}

// Meaning tells what a value of the type looks like.
func (t Type) Meaning() string {
	if s := t.trustMeaning(); s != "" {
		return s
	}
	return map[Type]string{
		TypeName:     "lower-case letters, digits and inner hyphens, at most 63",
		TypePattern:  "a name; * stands for any run of characters",
		TypeText:     "any text; * stands for any run of characters",
		TypeState:    "one of " + strings.Join(States(), ", "),
		TypeCount:    "a whole number",
		TypeSize:     "bytes, or a whole number with KiB, MiB, GiB or TiB (K, M, G, T mean the same)",
		TypeYesNo:    "yes or no",
		TypeAddress:  "an IPv4 or IPv6 address, or part of one with *",
		TypeMAC:      "six bytes like 52:54:00:12:34:56, or part of them with *",
		TypeDuration: "a whole number with ms, s or m",
		TypeJob:      "a job's id, or its first four digits or more",
		TypeVerb:     "a verb, or search",
		TypeSetting:  SettingPriority,
		TypePriority: fmt.Sprintf("0 to %d, of which the lowest becomes root, or %s", api.MaxPriority, PriorityDefault),
	}[t]
}

// States gives every state that a search can ask for: of VMs, satellites and jobs.
func States() []string {
	return []string{
		string(api.StateCreating), string(api.StateRunning), string(api.StatePaused), string(api.StateStopped), string(api.StateCrashed), string(api.StateDeleting),
		string(api.SatelliteLive), string(api.SatelliteSilent), string(api.SatelliteFailed), string(api.SatelliteLeft),
		string(api.SatelliteStranger),
		string(api.JobDone), string(api.JobCancelled),
	}
}

// Options gives the values of a type that has few; else nil.
func (t Type) Options() []string {
	switch t {
	case TypeState:
		return States()
	case TypeYesNo:
		return []string{"yes", "no"}
	case TypeSetting:
		return []string{SettingPriority}
	case TypePriority:
		return []string{PriorityDefault}
	case TypeVerb:
		names := []string{Search}
		for _, v := range verbs[1:] {
			names = append(names, v.Name)
		}
		return names
	}
	return t.trustOptions()
}

// ordered tells whether values of the type compare by < and >.
func (t Type) ordered() bool { return t == TypeCount || t == TypeSize }

var (
	patternForm = regexp.MustCompile(`^[a-z0-9*-]{1,63}$`)
	jobForm     = regexp.MustCompile(`^[0-9a-f]{4,8}$`)
	partOfIP    = regexp.MustCompile(`^[0-9a-f.:]*\*[0-9a-f.:*]*$`)
	partOfMAC   = regexp.MustCompile(`^[0-9a-f:]*\*[0-9a-f:*]*$`)
	addressForm = regexp.MustCompile(`^[0-9a-fA-F:.]+$`)
	idForm      = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`) // UUID, RFC 9562 section 4
)

// normal gives a value in the one form it has in requests, or what is wrong with it. Numbers must lie in
// min…max, where max 0 is no limit.
func (t Type) normal(s string, min, max uint64) (string, *api.Error) {
	low := strings.ToLower(s)
	ok := true
	switch t {
	case TypeName:
		if err := api.CheckName(s); err != nil {
			return "", err.(*api.Error)
		}
		return s, nil
	case TypePattern:
		ok = patternForm.MatchString(low)
	case TypeState, TypeYesNo, TypeVerb, TypeSetting:
		return t.option(low)
	case TypeCount, TypeSize, TypeDuration:
		return t.number(s, min, max)
	case TypeAddress:
		addr, err := netip.ParseAddr(low)
		if err == nil {
			return addr.String(), nil
		}
		ok = partOfIP.MatchString(low)
	case TypeMAC:
		mac, err := net.ParseMAC(low)
		if err == nil && len(mac) == 6 {
			return mac.String(), nil
		}
		ok = partOfMAC.MatchString(low)
	case TypeFingerprint, TypeKeyOrEvery, TypeSatellite, TypeAccount, TypeRole, TypeObject, TypeStatement, TypeSignature, TypeVerdict, TypeVia, TypeSince:
		return t.trustNormal(s)
	case TypePriority:
		n, err := strconv.ParseUint(s, 10, 16)
		if err == nil {
			return strconv.FormatUint(n, 10), nil
		}
		ok = low == PriorityDefault
	case TypeJob:
		ok = jobForm.MatchString(low)
	case TypeText:
		return s, nil
	}
	if !ok {
		return "", t.not(s)
	}
	return low, nil
}

// not is the error of a value that is none of the type.
func (t Type) not(s string) *api.Error {
	noun := map[Type]string{TypeSize: "a size", TypeCount: "a number", TypeDuration: "a time", TypeYesNo: "yes or no", TypeState: "a state",
		TypeAddress: "an IP address", TypeMAC: "a MAC address", TypeJob: "a job's id", TypePattern: "a name", TypeVerb: "a verb", TypeSetting: "what can be set", TypePriority: "a priority",
		TypeFingerprint: "a fingerprint", TypeKeyOrEvery: "a key", TypeSatellite: "a satellite", TypeRole: "a role", TypeObject: "something to grant",
		TypeVerdict: "a verdict", TypeVia: "a way in", TypeSince: "a span or a time"}[t]
	return &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("%q is not %s", s, noun), Hint: "use " + t.Meaning()}
}

// option is normal for types with Options.
func (t Type) option(low string) (string, *api.Error) {
	options := t.Options()
	if slices.Contains(options, low) {
		return low, nil
	}
	if t == TypeVerb {
		if v, ok := find(low); ok {
			return v.Name, nil
		}
	}
	err := t.not(low)
	if near, ok := nearest(low, options); ok {
		err.Hint = fmt.Sprintf("did you mean %q?", near)
	}
	return "", err
}

// number is normal for types that count.
func (t Type) number(s string, min, max uint64) (string, *api.Error) {
	var n uint64
	var ok bool
	show := func(n uint64) string { return strconv.FormatUint(n, 10) }
	switch t {
	case TypeSize:
		n, ok = ParseSize(s)
		show = FormatSize
	case TypeDuration:
		n, ok = milliseconds(s)
		show = func(n uint64) string { return (time.Duration(n) * time.Millisecond).String() }
	default:
		v, err := strconv.ParseUint(s, 10, 64)
		n, ok = v, err == nil
	}
	if !ok {
		return "", t.not(s)
	}
	if n < min || max > 0 && n > max {
		err := &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("%s is out of range", s), Hint: "use " + show(min) + " or more"}
		if max > 0 {
			err.Hint = "use " + show(min) + " to " + show(max)
		}
		return "", err
	}
	return strconv.FormatUint(n, 10), nil
}

// units are those of sizes, largest first. A letter alone means the same, as in qemu-img.
var units = []struct {
	name  string
	bytes uint64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// ParseSize reads bytes: digits, or digits and KiB, MiB, GiB, TiB or their first letters, in any case. Decimal
// units (GB) are refused, because half of the readers would take them for binary ones.
func ParseSize(s string) (uint64, bool) {
	digits := strings.TrimRight(s, "KMGTBkmgtbi")
	unit, factor := s[len(digits):], uint64(1)
	if unit != "" {
		factor = 0
		for _, u := range units {
			if strings.EqualFold(unit, u.name) || strings.EqualFold(unit, u.name[:1]) {
				factor = u.bytes
			}
		}
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || factor == 0 || n > (1<<64-1)/factor {
		return 0, false
	}
	return n * factor, true
}

// FormatSize writes bytes exactly, in the largest unit that divides them.
func FormatSize(n uint64) string {
	for _, u := range units {
		if n > 0 && n%u.bytes == 0 {
			return strconv.FormatUint(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatUint(n, 10)
}

// milliseconds reads a whole number with ms, s or m.
func milliseconds(s string) (uint64, bool) {
	digits := strings.TrimRight(s, "ms")
	factor := map[string]uint64{"ms": 1, "s": 1000, "m": 60_000}[s[len(digits):]]
	n, err := strconv.ParseUint(digits, 10, 32)
	return n * factor, err == nil && factor > 0
}
