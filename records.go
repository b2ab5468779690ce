package claviger

// Kept is what is kept about one person, row by row as it is stored. No row holds a
// prompt or an answer.
type Kept struct{ Usage, Objects, Blocks []KeptRow }

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
