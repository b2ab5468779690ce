package claviger

import "time"

// Kept is what is kept about one person, row by row as it is stored. No row holds a
// prompt or an answer: sealed transcripts are handed over by themselves.
type Kept struct{ Usage, Objects, Blocks, Calls []KeptRow }

// KeptRow is one row that is kept about a person, column by column.
type KeptRow []KeptField

// KeptField is a column of a row. Value is a string, an int64 or nil.
type KeptField struct {
	Name  string
	Value any
}

// Text returns a column that is text, empty where there is none of that name.
func (r KeptRow) Text(name string) string {
	for _, f := range r {
		if f.Name == name {
			s, _ := f.Value.(string)
			return s
		}
	}
	return ""
}

// CallRecord is the account of one call as a retention policy keeps it.
type CallRecord struct {
	Event
	// Until is when the record is deleted.
	Until time.Time
}

// SealedTranscript is a transcript as it is stored: nothing but who it is of, and
// when, can be read without the identity of a recipient.
type SealedTranscript struct {
	// ID is the request id of the call.
	ID string
	// Owner is the caller's pseudonym.
	Owner string
	// Key is the id of the TranscriptKey by which it was sealed.
	Key string
	// Created is when the call began, Until when the transcript is deleted. Both are
	// kept to the microsecond.
	Created, Until time.Time
	Sealed         []byte
}

// TranscriptKey opens the transcripts of one hour, and is itself sealed to the
// recipients. Once it is deleted nobody opens them, whoever has a copy.
type TranscriptKey struct {
	ID string
	// Created and Until bound the life of the key, to the microsecond. It ends
	// after every transcript that was sealed by it.
	Created, Until time.Time
	Sealed         []byte
}

// RecordSweep says which records have ended: those whose own end has come at Now,
// and those of calls that began before CallsFrom or TranscriptsFrom, which is as far
// back as the present policy goes, and Now where it keeps none.
type RecordSweep struct{ Now, CallsFrom, TranscriptsFrom time.Time }

// RecordCount is how many rows of each kind were deleted.
type RecordCount struct{ Calls, Transcripts, Keys int64 }
