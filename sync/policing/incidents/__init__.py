"""The rules of an incident, from the call to its closing, as pure functions over what a replica holds.

`numbers` what it is called before and after the server numbers it; `abuse` victims and their assessments; `victims` who
is one, and who is to be told; `recording` crimes; `contact` grading and first contact; `repeats` who and where was met
before; `units` who was sent; `happened` times that are still to come; `tutoring` officers in probation; `sampling`
call-backs; `protection` plans for children; `control` the control room's queue; `guards` what is refused before it is
written; `dues` what falls due.
"""
