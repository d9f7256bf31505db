package plane

// Fate is what became of a frame.
type Fate uint8

// The fates. From DropDetached on the frame went nowhere.
const (
	Engine       Fate = iota // it is for the engine
	Reflected                // an echo, answered
	Delivered                // to the port behind which its destination lives
	Forwarded                // toward its destination's home, on its path
	Deflected                // around a port that died (F2)
	Followed                 // further on around (F3)
	Flooded                  // to everybody
	DropDetached             // came by a port that is not there or has no carrier
	DropShort                // has no whole header
	DropReserved             // addressed to the next bridge only, or a control frame of who may send none
	DropClosed               // came by a port that lets nothing in
	DropLearning             // came by an edge port that only learns
	DropLease                // the engine has not been heard of for too long
	DropSource               // its source is a group, or nobody
	DropSpoof                // came by a local port, or an edge, with a source that lives behind another local port
	DropLocal                // its source lives here, but it came from the fabric
	DropStranger             // nobody knows where its source lives
	DropUnknown              // was sent toward a home that is not known here
	DropNoPath               // its home is not in the topology
	DropIllegal              // the next hop waits for U1
	DropNarrow               // the tables are just changing, and do not say the same of it
	DropDead                 // the port on its way is down, and there is no way around
	DropLate                 // that port is down for longer than a detour lasts (F5)
	DropPoliced              // detours over that port have used up their share (F5)
	DropSettling             // it needs a detour, but its source or destination has just moved
	DropStray                // came off its path, and nothing is known for that
	DropHairpin              // its destination is where it came from
	DropOut                  // the port of its destination lets nothing out
	DropStorm                // too much was flooded from that port (B4)
	DropNowhere              // there is nobody to flood it to
	fates
)

var fateNames = [fates]string{"engine", "reflected", "delivered", "forwarded", "deflected", "followed", "flooded",
	"detached port", "short", "reserved address", "closed port", "learning port", "lease over", "bad source", "spoofed source",
	"local source from the fabric", "stranger", "unknown home", "no path", "illegal next hop", "tables changing", "dead port",
	"detour too late", "detour policed", "address settling", "stray", "hairpin", "closed way out", "storm", "nobody there"}

// String names the fate as counters are named.
func (f Fate) String() string { return fateNames[min(f, fates-1)] }

// Dropped tells whether the frame went nowhere.
func (f Fate) Dropped() bool { return f >= DropDetached }

// Fates is how many there are: they are 0 to Fates-1.
const Fates = int(fates)

// Count tells how many frames had the fate.
func (p *Plane) Count(f Fate) uint64 { return p.counts[f] }
