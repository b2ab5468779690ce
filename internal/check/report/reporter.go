package report

// Config is what a Reporter is told first.
type Config struct {
	// Target is the folder as an absolute path, or the URL.
	Target string
	// Version is the tool's.
	Version string
	// Rules are all that may be reported.
	Rules []Meta
	// History, Build and EnvFrom say what was asked for.
	History, Build bool
	EnvFrom        string
}

// Summary is what a Reporter is told last.
type Summary struct {
	// Complete says that everything that should be looked at was.
	Complete  bool
	Checklist []ChecklistItem
	// Counts are the reported findings by severity.
	Counts map[Severity]int
	// Baselined and Suppressed count the findings that were not reported.
	Baselined, Suppressed int
	// Files and Bytes are how much text was read.
	Files int
	Bytes int64
	// Notes say what was sent, run or left out, a sentence each.
	Notes []string
	// Edits mend findings without judgement.
	Edits []Edit
}

// Reporter hears what a scan finds. Its methods are called by one goroutine; the
// first error ends the scan.
type Reporter interface {
	// Start comes first.
	Start(Config) error
	// Progress says how much of the work is done. total is 0 while nobody knows.
	Progress(done, total int64) error
	// Finding comes once for each, in the order of files and lines.
	Finding(Finding) error
	// Close comes last, and not after an error.
	Close(Summary) error
}
