package api

// Query is a search: every word and every filter must hold. The zero Query finds everything.
type Query struct {
	// Words must each be part of the item's name, kind or an address, or begin its id with four characters or more,
	// without regard to case. A word that is a kind's name (vm, spacesuit, satellite, job) limits the kind instead.
	Words   []string `json:"words,omitempty"`
	Filters []Filter `json:"filters,omitempty"`
	Limit   int      `json:"limit,omitempty"` // at most so many items from each satellite; 0: MaxItems
}

// MaxItems bounds what one satellite answers to one search.
const MaxItems = 10_000

// Op compares an item's value to a filter's.
type Op string

// The operators, as typed after the colon; nothing is OpIs. Text is equal without regard to case and `*`
// matches any run; sizes and counts compare as numbers.
const (
	OpIs Op = ""
	OpLT Op = "<"
	OpLE Op = "<="
	OpGT Op = ">"
	OpGE Op = ">="
)

// Filter is `key:value`, `key:a,b` (either), `key:>=value` or `-key:value` (not).
type Filter struct {
	Key    string   `json:"key"`
	Op     Op       `json:"op,omitempty"`
	Values []string `json:"values"`
	Not    bool     `json:"not,omitempty"`
}

// The keys of filters: those of the grammar that a search takes.
const (
	KeyName      = "name"
	KeyState     = "state"
	KeySatellite = "satellite"
	KeyFrom      = "from"
	KeyCPU       = "cpu"
	KeyMemory    = "memory"
	KeyAddress   = "address"
	KeyMAC       = "mac"
	KeyOwner     = "owner"
	KeyID        = "id"
)
