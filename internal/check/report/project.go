package report

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf16"
)

// FileKind says what a file of the project is, and so which rules look at it.
type FileKind string

// The kinds of files.
const (
	// FileSource is what people write: code, scripts, notebooks, configuration.
	FileSource FileKind = "source"
	// FileBuild is what a build made, of which browsers may get a part.
	FileBuild FileKind = "build"
	// FilePublic is served as it stands: public/, static/.
	FilePublic FileKind = "public"
	// FileEnv is a .env file, whatever its suffix.
	FileEnv FileKind = "env"
	// FileBinary holds bytes that are no text; nobody reads it.
	FileBinary FileKind = "binary"
)

// File is one regular file of the project. Files below node_modules and .git
// are never listed.
type File struct {
	// Path is relative to the checked folder, with forward slashes.
	Path string
	// Size is in bytes.
	Size int64
	Kind FileKind
	// Ignored says that git ignores the file.
	Ignored bool
	// Test says that the path is that of a test, a story, a fixture or an
	// evaluation.
	Test bool
}

// Variable is one variable of the project's environment, without its value.
type Variable struct {
	Name string
	// At is the line that sets it.
	At Position
	// Public says that a build tool copies it into code for browsers.
	Public bool
	// Secret says that the value is a secret, by its shape or its name.
	Secret bool
	// Plain says that there is a value and that it can be no secret: a number, an
	// address, a short word.
	Plain bool
	// Fingerprint is that of the value; empty where Secret is false.
	Fingerprint string
}

// Project is the folder that is checked. It is safe for concurrent use and must
// not be changed.
type Project struct {
	// Root is the absolute path of the folder.
	Root string
	// Files are all files that were found, in the order of their paths.
	Files []File
	// Variables are those of all .env files.
	Variables []Variable
	// ReadFile returns the text of a listed file as UTF-8: a byte order mark is
	// taken off, UTF-16 is decoded, a bad byte becomes U+FFFD. A file over the
	// limit, a binary one, and one that changed into something else since it was
	// listed is an error that names no contents.
	ReadFile func(path string) (string, error)
}

// Coverage is what an analyser looked at, so that "nothing found" can be told
// from "nothing looked at".
type Coverage struct {
	// Files is how many files it read.
	Files int
	// Judged has, for each point of the mission ("M-C3") that the analyser could
	// judge, one sentence of evidence on what was looked at: "12 modules call the
	// provider, all of them on the server". A point that is not in it stays
	// unknown unless something was found.
	Judged map[string]string
	// Open has, for points that it could not judge, one sentence on why: there was
	// nothing to judge, or not all of it was followed.
	Open map[string]string
	// Client has the files whose code reaches browsers, each with the way from
	// the page or component that brings it there. A key that stands literally in
	// one of them is reported by the check itself, as client-bundle-secret
	// instead of hardcoded-key; analysers leave literal keys to it.
	Client map[string][]Position
}

// Analyzer is a room of the check that looks at a whole project.
type Analyzer interface {
	// Rules describes the rules whose findings the analyser may report.
	Rules() []Meta
	// Analyze reports what it finds. It calls report from one goroutine at a
	// time. A file that it could not parse is a finding of rule "parse-failed",
	// not an error; an error says that the analysis as a whole did not come to
	// its end, and makes the check incomplete. It honours ctx within a second.
	//
	// Findings may leave Mission, Fix and Fingerprint empty: the check fills them
	// from the rule's Meta and the finding's place. Suppressions and baselines
	// are not the analyser's business.
	Analyze(ctx context.Context, p *Project, report func(Finding)) (Coverage, error)
}

// Edit is a change that mends a finding: the bytes from Start to End of the file
// as ReadFile gives it become Text. A file that does not exist is made of edits
// at 0.
type Edit struct {
	File       string
	Start, End int
	Text       string
}

// SecretFingerprint names a secret without telling it: the first 12 hexadecimal
// digits of its SHA-256, as everywhere in Claviger.
func SecretFingerprint(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:6])
}

// PositionAt is the place of the byte at offset of a text.
func PositionAt(file, text string, offset int) Position {
	offset = max(0, min(offset, len(text)))
	head := text[:offset]
	start := strings.LastIndexByte(head, '\n') + 1
	column := 1
	for _, r := range head[start:] {
		column += max(1, utf16.RuneLen(r))
	}
	return Position{File: file, Line: strings.Count(head, "\n") + 1, Column: column}
}
