"""What the office signs and sends on paper: PDF from templates that it may edit, tables as XLSX and CSV.

Owns how a document is made (`rendering`), its charts (`figures`) and its tables (`tables`). Which figures stand in a document is
for whoever asks for it; this package computes none.
"""
